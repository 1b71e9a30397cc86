import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, type ProcessIdentity } from '../../os/index.js';
import { formatOwner } from '../../os/step-owner.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { ioError, syncDirectory } from '../../state/index.js';
import { newToken } from '../../util/ids.js';
import { type LocalPaths, makeDirectory } from './local-paths.js';
import type { LocalVolumeOptions } from './options.js';
import { needsMount } from './options.js';
import { OPTIONS_FILE, type StoredOptions, writeOptions } from './options-file.js';
import { ProjectQuota } from './project-quota.js';
import { discardPiece } from './sweep.js';
import { DATA } from './volume-directory.js';

export interface MakeVolumeRequest {
  readonly name: string;
  readonly options: LocalVolumeOptions;
  readonly durable: boolean;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Makes a volume in a directory of this process and gives it its name in one step: nobody ever sees one that lacks
 * its options. False when the name has a volume by now.
 */
export async function makeVolume(paths: LocalPaths, request: MakeVolumeRequest): Promise<boolean> {
  const { name, options, durable } = request;
  const step = `${formatOwner(identifyProcess(process.pid) as ProcessIdentity)}.${newToken()}`;
  const staged = join(paths.staging, step);
  const final = join(paths.dir, name);
  try {
    makeDirectory(staged, paths.parentMode);
    makeDirectory(join(staged, DATA), 0o755, request.owner);
    if (options.sizeBytes !== undefined) await makeLimited(staged, options, options.sizeBytes, durable);
    else if (needsMount(options)) writeOptions(join(staged, OPTIONS_FILE), options, { durable });
    renameSync(staged, final);
  } catch (error) {
    await discardPiece(paths.staging, step);
    const errno = errnoOf(error);
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return false;
    throw errno === undefined || 'reason' in (error as object) ? error : ioError('make', final, error);
  }
  if (durable) {
    syncDirectory(final);
    syncDirectory(paths.dir);
  }
  return true;
}

// The id is on disk before it has a limit: after a crash the sweep knows which limit to take away.
async function makeLimited(
  staged: string,
  options: LocalVolumeOptions,
  sizeBytes: number,
  durable: boolean,
): Promise<void> {
  using quota = ProjectQuota.open(join(staged, DATA));
  const stored: StoredOptions = { ...options, projectId: quota.newId() };
  writeOptions(join(staged, OPTIONS_FILE), stored, { durable });
  quota.limit(stored.projectId as number, sizeBytes);
  await quota.adopt(stored.projectId as number);
}
