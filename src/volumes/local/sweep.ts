import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isOwnerAlive } from '../../os/step-owner.js';
import { FileLock } from '../../state/index.js';
import type { Log } from '../../util/log.js';
import type { CallOptions } from '../../util/signals.js';
import type { LocalPaths } from './local-paths.js';
import { OPTIONS_FILE, readOptions } from './options-file.js';
import { ProjectQuota } from './project-quota.js';
import { removeFrom } from './remove-from.js';
import { DATA } from './volume-directory.js';

/** Finishes what dead processes began: volumes half made and half deleted. One process at a time; safe beside others. */
export async function sweepLeftovers(paths: LocalPaths, lockPath: string, log: Log, call: CallOptions): Promise<void> {
  using lock = FileLock.tryAcquire(lockPath);
  if (lock === undefined) return;
  for (const step of readdirSync(paths.staging)) {
    if (!isOwnerAlive(step)) await tryDiscard(paths.staging, step, log, call);
  }
  for (const piece of readdirSync(paths.trash)) await tryDiscard(paths.trash, piece, log, call);
}

async function tryDiscard(parent: string, piece: string, log: Log, call: CallOptions): Promise<void> {
  try {
    await discardPiece(parent, piece, call);
  } catch (error) {
    if (call.signal?.aborted) throw error;
    log('%s stays: %s', join(parent, piece), error);
  }
}

/**
 * Deletes the directory of a volume that has no name any more: first its data, then the limit of its project, then the
 * file that knows which one that was. Whenever it is cut off, the next one can go on.
 */
export async function discardPiece(parent: string, piece: string, call: CallOptions = {}): Promise<void> {
  const path = join(parent, piece);
  await removeFrom(path, DATA, call);
  freeProject(path);
  await removeFrom(parent, piece, call);
}

function freeProject(path: string): void {
  let projectId: number | undefined;
  try {
    ({ projectId } = readOptions(join(path, OPTIONS_FILE), 'removed') ?? {});
  } catch {
    // A damaged file does not say which project it was; a number without files costs nothing.
  }
  if (projectId === undefined) return;
  try {
    using quota = ProjectQuota.open(path);
    quota.free(projectId);
  } catch {
    // The file system has no quota any more.
  }
}
