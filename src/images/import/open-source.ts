import { createReadStream, readdirSync, type Stats, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { DecompressLimits } from '../../archive/index.js';
import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { ioError } from '../io-error.js';
import { compressionOf, openPlain } from '../plain-stream.js';
import { DirectoryFiles, type ImageFiles } from './image-files.js';
import { TarFiles } from './tar-files.js';

/** Where an image comes from: a path of a directory or archive, or the bytes of an archive. @public */
export type ImageInput = string | AsyncIterable<Uint8Array>;

/** An image source on disk, as it was found. */
export type Located =
  | { readonly kind: 'directory'; readonly path: string }
  /** `path` has the bytes as given; it may be compressed. */
  | { readonly kind: 'archive'; readonly path: string; readonly name: string };

/** Finds the source; bytes that stream in are put into `tempPath()` first. Throws SOURCE_NOT_FOUND, BAD_SOURCE. */
export async function locateSource(
  input: ImageInput,
  tempPath: () => string,
  call: CallOptions = {},
): Promise<Located> {
  if (typeof input !== 'string') {
    if (typeof input?.[Symbol.asyncIterator] !== 'function') throw badSource(input, 'is neither a path nor a stream');
    const path = tempPath();
    await spool(input, path, call);
    return { kind: 'archive', path, name: 'stream' };
  }
  if (input === '' || input.includes('\0')) throw badSource(input, 'is not a path');
  let stat: Stats;
  try {
    stat = statSync(input);
  } catch (error) {
    throw ioError(error, 'source', input);
  }
  if (stat.isDirectory()) return { kind: 'directory', path: input };
  if (stat.isFile()) return { kind: 'archive', path: input, name: input };
  throw badSource(input, 'is neither a file nor a directory');
}

export function badSource(value: unknown, problem: string): Error {
  return engineError('BAD_SOURCE', `image source ${quote(value)} ${problem}`, { details: { source: quote(value) } });
}

/** Opens the files of a source; a compressed archive is unpacked to `tempPath()` first, for offsets to be of use. */
export async function openFiles(
  located: Located,
  options: { readonly tempPath: () => string; readonly limits: DecompressLimits },
  call: CallOptions = {},
): Promise<ImageFiles> {
  if (located.kind === 'directory') {
    try {
      return new DirectoryFiles(located.path, new Set(readdirSync(located.path)));
    } catch (error) {
      throw ioError(error, 'source', located.path);
    }
  }
  if (compressionOf(located.path) === 'none') return TarFiles.open(located.path, located.name, call);
  const path = options.tempPath();
  await spool(
    openPlain(createReadStream(located.path, { highWaterMark: 1024 * 1024 }), options.limits, call),
    path,
    call,
  );
  return TarFiles.open(path, located.name, call);
}

async function spool(source: AsyncIterable<Uint8Array>, path: string, call: CallOptions): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of source) {
        throwIfAborted(call.signal);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, 'temporary file', path);
  }
}
