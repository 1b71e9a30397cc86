import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { ioError } from '../../state/index.js';
import { needsMount } from './options.js';
import { damaged, OPTIONS_FILE, readOptions, type StoredOptions } from './options-file.js';

export const DATA = '_data';
const LOOKS_MAX = 100;

/** What is there of a volume, as far as it can be told without touching what may be mounted on its data directory. */
export interface VolumeDirectory {
  readonly name: string;
  /** `<dir>/<name>`. */
  readonly path: string;
  /** `<dir>/<name>/_data`. */
  readonly mountpoint: string;
  /** What has the name `_data`. */
  readonly data: 'directory' | 'missing' | 'other';
  readonly options: 'none' | 'file' | 'damaged';
  /** Where a damaged options file went. */
  readonly quarantine?: string;
}

/**
 * Looks at `<dir>/<name>`; `undefined` when it is no volume. Only the listing of the volume's own directory is read:
 * a network mount on `_data` whose server is gone would hang whoever asks for its attributes. Throws
 * LOCAL_VOLUME_UNSAFE where a link or file has the name.
 */
export function findVolumeDirectory(dir: string, name: string): VolumeDirectory | undefined {
  const path = join(dir, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) {
    throw engineError('LOCAL_VOLUME_UNSAFE', `${quote(path)} is no directory`, { details: { name, path } });
  }
  const entries = readNames(path);
  return entries && describe(path, name, entries);
}

/** A volume with the options it has now; none of them for a plain directory. */
export interface LocalVolume extends VolumeDirectory {
  readonly stored?: StoredOptions;
}

/**
 * The volume and its options; `undefined` when there is none. Throws LOCAL_VOLUME_DAMAGED when it has options that
 * can't be read: taken for none, its content would be written beside what should be mounted there.
 */
export function findVolume(dir: string, name: string): LocalVolume | undefined {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const volume = findVolumeDirectory(dir, name);
    if (volume === undefined || volume.options === 'none') return volume;
    if (volume.options === 'damaged') throw damaged(name, volume.quarantine as string);
    const stored = readOptions(join(volume.path, OPTIONS_FILE), name);
    // Not there any more: the volume was removed between the two looks, and perhaps made anew.
    if (stored !== undefined) return isPlain(stored) ? volume : { ...volume, stored };
  }
  throw damaged(name, join(dir, name, OPTIONS_FILE));
}

function isPlain(options: StoredOptions): boolean {
  return !needsMount(options) && options.sizeBytes === undefined;
}

/** Throws LOCAL_VOLUME_UNSAFE when something else than a directory has the name `_data`. */
export function assertDataDirectory(volume: VolumeDirectory): void {
  if (volume.data === 'directory') return;
  const { name, mountpoint: path } = volume;
  throw engineError('LOCAL_VOLUME_UNSAFE', `${quote(path)} is no directory`, { details: { name, path } });
}

function describe(path: string, name: string, entries: readonly Dirent[]): VolumeDirectory | undefined {
  let data: VolumeDirectory['data'] = 'missing';
  let options: VolumeDirectory['options'] = 'none';
  let quarantine: string | undefined;
  for (const entry of entries) {
    if (entry.name === DATA) data = entry.isDirectory() ? 'directory' : 'other';
    else if (entry.name === OPTIONS_FILE) options = 'file';
    else if (entry.name.startsWith(`${OPTIONS_FILE}.corrupt-`)) quarantine = join(path, entry.name);
  }
  if (options === 'none' && quarantine !== undefined) options = 'damaged';
  if (data === 'missing' && options === 'none') return undefined;
  const mountpoint = join(path, DATA);
  return { name, path, mountpoint, data, options, ...(quarantine === undefined ? {} : { quarantine }) };
}

function readNames(path: string): Dirent[] | undefined {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw ioError('list', path, error);
  }
}
