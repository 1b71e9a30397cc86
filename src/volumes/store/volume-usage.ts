import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { listHolders } from './holders.js';
import { listVolumes } from './list-volumes.js';
import type { Volume, VolumeUsage, VolumeUsageOptions } from './types.js';

/** Measures volumes one after the other, each when it is asked for: leaving the loop ends the work. */
export async function* measureVolumes(
  deps: StoreDeps,
  { onProgress, ...options }: VolumeUsageOptions,
): AsyncGenerator<VolumeUsage, void, undefined> {
  const { signal } = options;
  const { volumes } = await listVolumes(deps, options);
  for (const volume of volumes) {
    throwIfAborted(signal);
    const { name, driver } = volume;
    const sizeBytes = await sizeOf(deps, volume, {
      ...(signal !== undefined && { signal }),
      ...(onProgress && { onProgress: (bytes: number) => onProgress({ name, sizeBytes: bytes }) }),
    });
    yield { name, driver, sizeBytes, holders: listHolders(deps, name).length };
  }
}

/** Only plain local volumes are measured: content of others is elsewhere, may hang, or is not ours to read. */
export async function sizeOf(
  deps: StoreDeps,
  volume: Volume,
  options: CallOptions & { readonly onProgress?: (bytes: number) => void },
): Promise<number | undefined> {
  const isPlain =
    deps.drivers.same(volume.driver, 'local') && Object.keys(volume.options).every((key) => key === 'size');
  if (!isPlain || volume.mountpoint === undefined) return undefined;
  try {
    return await deps.measure(volume.mountpoint, options);
  } catch {
    throwIfAborted(options.signal);
    // It went away while it was read.
    return undefined;
  }
}
