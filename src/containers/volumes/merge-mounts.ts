import { posix } from 'node:path';
import { checkMountTarget, sortMounts, type UserMount } from '../../spec/index.js';

/**
 * A container's mounts from all sources, parents before children. At one target its own mounts win over inherited ones,
 * later inherited ones over earlier ones, and a volume that its image declares comes only where nothing else is.
 */
export function mergeMounts(
  own: readonly UserMount[],
  inherited: readonly UserMount[],
  imageVolumes: readonly string[],
  volumeDriver?: string,
): UserMount[] {
  if (inherited.length === 0 && imageVolumes.length === 0) return [...own];
  const byTarget = new Map<string, UserMount>();
  for (const mount of [...inherited, ...own]) byTarget.set(mount.target, mount);
  for (const path of imageVolumes) {
    const field = `image.volumes[${JSON.stringify(path.slice(0, 64))}]`;
    // As Docker reads them: from the root, and folded.
    const target = checkMountTarget(field, posix.join('/', path));
    if (byTarget.has(target)) continue;
    byTarget.set(target, {
      field,
      target,
      readOnly: false,
      type: 'volume',
      name: '',
      anonymous: true,
      noCopy: false,
      ...(volumeDriver !== undefined && { driver: volumeDriver }),
    });
  }
  return sortMounts([...byTarget.values()]);
}
