import { open } from 'node:fs/promises';
import { engineError } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { ioError } from '../io-error.js';
import type { Digest } from '../types.js';
import type { PullDeps } from './pull-deps.js';

/** Bytes that are written at once: small enough to show progress, large enough for few writes. */
const BATCH = 256 * 1024;

/**
 * Appends what is missing of a blob to its partial file, whose lock the caller holds; `onWritten` is told the bytes that
 * are there. Nothing is hashed here. Throws SIZE_MISMATCH, DISK_FULL, CANCELED, and what the registry says.
 */
export async function downloadBlob(
  deps: Pick<PullDeps, 'partials' | 'source' | 'repository'>,
  blob: { readonly digest: Digest; readonly size: number },
  onWritten: (bytes: number) => void,
  call: CallOptions,
): Promise<void> {
  const { digest, size } = blob;
  const path = deps.partials.path(digest);
  const file = await open(path, 'a', 0o600).catch((error) => {
    throw ioError(error, 'partial blob', path);
  });
  try {
    let written = (await file.stat()).size;
    onWritten(written);
    if (written >= size) return;
    const stream = await deps.source.blob(deps.repository, digest, { ...call, offset: written, size });
    let batch: Uint8Array[] = [];
    let waiting = 0;
    const flush = async () => {
      const parts = batch;
      batch = [];
      waiting = 0;
      await writeAll(file, parts);
    };
    for await (const chunk of stream) {
      throwIfAborted(call.signal);
      if (written + chunk.length > size) throw wrongSize(digest, size, `more than ${size}`);
      batch.push(chunk);
      waiting += chunk.length;
      written += chunk.length;
      if (waiting < BATCH) continue;
      await flush();
      onWritten(written);
    }
    if (waiting > 0) await flush();
    onWritten(written);
    if (written < size) throw wrongSize(digest, size, String(written));
  } catch (error) {
    throw ioError(error, 'partial blob', path);
  } finally {
    await file.close();
  }
}

async function writeAll(
  file: { writev(parts: readonly Uint8Array[]): Promise<{ bytesWritten: number }> },
  parts: Uint8Array[],
): Promise<void> {
  let left = parts;
  while (left.length > 0) {
    let { bytesWritten } = await file.writev(left);
    while (left[0] !== undefined && bytesWritten >= left[0].length) {
      bytesWritten -= left[0].length;
      left = left.slice(1);
    }
    if (left[0] !== undefined && bytesWritten > 0) left = [left[0].subarray(bytesWritten), ...left.slice(1)];
  }
}

function wrongSize(digest: Digest, expected: number, actual: string): Error {
  return engineError('SIZE_MISMATCH', `blob ${digest} has ${actual} bytes where ${expected} were announced`, {
    details: { digest, expected, actual },
  });
}
