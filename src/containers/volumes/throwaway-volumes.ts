import { chmodSync, closeSync, existsSync, fstatSync, mkdirSync, readdirSync } from 'node:fs';
import { copyTree, removeTree } from '../../os/index.js';
import { pinInRoot } from '../../spec/index.js';
import type { Layout } from '../../state/index.js';
import { isFullId } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';

/**
 * Volumes without a name of throwaway containers: directories that only their container ever sees. They stand on no
 * list but its session's, so they go with it, whoever removes it.
 */
function parentDir(layout: Pick<Layout, 'dir'>): string {
  return `${layout.dir('volumes')}/throwaway`;
}

/** Directory of all such volumes of one container. Named after it, as the sweeper's list wants it. */
export function throwawayDir(layout: Pick<Layout, 'dir'>, id: string): string {
  return `${parentDir(layout)}/${id}`;
}

export interface ThrowawayVolume {
  /** The container's `throwawayDir`. */
  readonly dir: string;
  readonly n: number;
  /** The container's mounted root. */
  readonly rootfs: string;
  readonly target: string;
  readonly noCopy: boolean;
}

/** Makes one, with the image's content unless `noCopy`. Nobody else knows of it, so it is filled in place. */
export async function makeThrowawayVolume(volume: ThrowawayVolume, call: CallOptions): Promise<string> {
  const path = `${volume.dir}/${volume.n}`;
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // The container's users enter it, whatever umask the host program has.
  chmodSync(path, 0o755);
  const source = volume.noCopy ? undefined : pinInRoot(volume.rootfs, volume.target);
  if (source === undefined) return path;
  try {
    if (fstatSync(source).isDirectory()) await copyTree(`/proc/self/fd/${source}`, path, call);
  } finally {
    closeSync(source);
  }
  return path;
}

/** Removes a container's. Idempotent. */
export async function removeThrowawayVolumes(layout: Pick<Layout, 'dir'>, id: string): Promise<void> {
  const dir = throwawayDir(layout, id);
  if (existsSync(dir)) await removeTree(dir, parentDir(layout));
}

/** Removes those of containers that are gone: a reboot took the session's list, not the directories. */
export async function removeStrayThrowawayVolumes(
  layout: Pick<Layout, 'dir'>,
  isKnown: (id: string) => boolean,
): Promise<void> {
  const parent = parentDir(layout);
  if (!existsSync(parent)) return;
  for (const id of readdirSync(parent)) {
    if (!isFullId(id) || !isKnown(id)) await removeTree(`${parent}/${id}`, parent);
  }
}
