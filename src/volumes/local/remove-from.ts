import { closeSync, constants, openSync } from 'node:fs';
import { removeBeneath } from '../../os/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import type { CallOptions } from '../../util/signals.js';

/** Removes what a directory of the driver has under a name, by `removeBeneath`; no such directory is fine. */
export async function removeFrom(directory: string, name: string, call: CallOptions = {}): Promise<void> {
  let fd: number;
  try {
    fd = openSync(directory, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    await removeBeneath(fd, name, call);
  } finally {
    closeSync(fd);
  }
}
