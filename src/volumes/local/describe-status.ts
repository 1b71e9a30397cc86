import { isMountPoint } from './mount-data.js';
import { needsMount } from './options.js';
import type { StoredOptions } from './options-file.js';
import { ProjectQuota } from './project-quota.js';
import { maskSecrets } from './secrets.js';
import type { VolumeDirectory } from './volume-directory.js';

/** What a volume with options tells of itself; passwords masked. */
export function describeStatus(volume: VolumeDirectory, options: StoredOptions): Readonly<Record<string, unknown>> {
  if (needsMount(options)) {
    const { type, device, o } = options;
    return { type, device: maskSecrets(device), o: maskSecrets(o), mounted: isMountPoint(volume.mountpoint) };
  }
  return { sizeBytes: options.sizeBytes, ...usage(volume, options) };
}

function usage({ mountpoint }: VolumeDirectory, { projectId }: StoredOptions): { usedBytes?: number } {
  if (projectId === undefined) return {};
  try {
    using quota = ProjectQuota.open(mountpoint);
    const space = quota.space(projectId);
    return space === undefined ? {} : { usedBytes: space.usedBytes };
  } catch {
    // The file system has no quota any more; mount says so.
    return {};
  }
}
