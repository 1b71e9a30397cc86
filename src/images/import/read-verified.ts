import { engineError } from '../../errors/index.js';
import { digestOf } from '../digest.js';
import type { Descriptor } from '../documents.js';
import type { ImageFiles } from './image-files.js';

/** A document of the source, checked against its descriptor before anything in it is believed. */
export function readVerified(
  files: ImageFiles,
  path: string,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  maxBytes: number,
): Buffer {
  const { digest, size } = descriptor;
  const bytes = files.read(path, maxBytes);
  if (bytes.length !== size) {
    throw engineError('SIZE_MISMATCH', `blob ${digest} has ${bytes.length} bytes where ${size} were announced`, {
      details: { digest, expected: size, actual: bytes.length },
    });
  }
  const actual = digestOf(bytes);
  if (actual === digest) return bytes;
  throw engineError('DIGEST_MISMATCH', `content announced as ${digest} hashes to ${actual}`, {
    details: { expected: digest, actual },
  });
}
