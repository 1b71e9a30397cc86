import type { StoreDeps } from './deps.js';
import type { ReleaseVolumeOptions } from './types.js';
import { unmountVolume } from './unmount-volume.js';

/** Unmounts and drops the hold. An unknown volume or holder is no error. */
export async function releaseVolume(
  deps: StoreDeps,
  name: string,
  holder: string,
  options: ReleaseVolumeOptions,
): Promise<void> {
  const { files } = deps;
  const isKnown = () => files.holds.has(name, holder) || files.uses.find(name, holder) !== undefined;
  if (!isKnown()) return;
  try {
    await unmountVolume(deps, name, holder, options, 'drop');
  } catch (error) {
    if (options.force !== true) throw error;
  }
  if (!isKnown()) return;
  await files.locked(name, {}, () => {
    files.holds.delete(name, holder);
    const use = files.uses.find(name, holder);
    if (use === undefined) return;
    const { owner: _, ...orphan } = use;
    if (use.mount === undefined) files.uses.delete(name, holder);
    else files.uses.write(name, orphan);
  });
}
