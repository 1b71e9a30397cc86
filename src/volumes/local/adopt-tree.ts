import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { inDirectory, O_PATH } from '../../os/index.js';
import { errnoOf, projectOf, setProject } from '../../os/syscalls/index.js';
import { mountIdOf } from '../../os/trees/mount-id.js';
import { TimeSlices } from '../../os/trees/time-slices.js';
import { walkBeneath } from '../../os/trees/walk-beneath.js';
import type { CallOptions } from '../../util/signals.js';

/**
 * Puts all that is in an open directory into a project, and the directory itself at last: one that has the project has
 * it for all that is in it, and a walk that was cut off is made anew. Each directory has it before what is in it, so
 * that what is made meanwhile has it too. Links, devices, pipes and sockets take no space and keep theirs.
 */
export async function adoptTree(root: number, id: number, call: CallOptions = {}): Promise<void> {
  await adoptBelow(root, id, call);
  adopt(root, id);
  // What was made in the directory itself until then.
  await adoptBelow(root, id, call);
}

async function adoptBelow(root: number, id: number, call: CallOptions): Promise<void> {
  const mount = mountIdOf(root);
  let first = true;
  const visitor = {
    directory: (fd: number) => {
      if (!first) adopt(fd, id);
      first = false;
    },
    entry: (fd: number, name: Buffer) => adoptFile(fd, name, id, mount),
  };
  await walkBeneath(root, visitor, new TimeSlices(call));
}

/** Opened when it is known to be a file of this tree: to open a device or pipe does something. */
function adoptFile(directory: number, name: Buffer, id: number, mount: number): void {
  let fd: number;
  try {
    fd = openSync(inDirectory(directory, name), O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile() || mountIdOf(fd) !== mount) return;
    const file = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    try {
      adopt(file, id);
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(fd);
  }
}

function adopt(fd: number, id: number): void {
  if (hasProject(fd, id)) return;
  try {
    setProject(fd, id, { inherit: fstatSync(fd).isDirectory() });
  } catch (error) {
    // An immutable file does not grow either.
    if (errnoOf(error) !== 'EPERM') throw error;
  }
}

/** True when it is in the project, and what is made in it will be. */
export function hasProject(fd: number, id: number): boolean {
  const now = projectOf(fd);
  return now.id === id && (now.inherited || fstatSync(fd).isFile());
}
