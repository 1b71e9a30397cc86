import { engineError, quote } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { Digest, ImageRunConfig, Platform } from '../types.js';
import type { RegistryAuth } from './blob-source.js';
import type { OnPullProgress } from './progress.js';

/**
 * `always`: ask the registry, and get what is missing or changed; `missing`: only when no such image is here; `newer`:
 * as `always`, but what is here will do when the registry can't be asked; `never`: only look. @public
 */
export type PullPolicy = 'always' | 'missing' | 'newer' | 'never';

/** An image that is about to be stored, for a signature policy to judge. @public */
export interface ImageCandidate {
  /** The full name that was asked for. */
  readonly reference: string;
  /** What the name stands for: the digest of an index or a manifest. */
  readonly digest: Digest;
  /** Digest of the manifest of its platform. */
  readonly manifestDigest: Digest;
  /** The manifest as it came; it hashes to `manifestDigest`. */
  readonly manifest: Uint8Array;
  /** Platform that was chosen. */
  readonly platform: Platform;
  /** What the image says of its containers. */
  readonly config: ImageRunConfig;
  /** Of the blobs, lowest first. */
  readonly layers: readonly Digest[];
}

/** Lets an image in by returning (what is awaited); refuses it by returning false or throwing. @public */
export type VerifyImage = (candidate: ImageCandidate, call: CallOptions) => unknown;

/** Options of `images.pull`. @public */
export interface PullImageOptions extends CallOptions {
  /** `linux/arm64`. @defaultValue the host's, or what runs on it */
  readonly platform?: string;
  /** Whether the registry is asked. @defaultValue `always` */
  readonly policy?: PullPolicy;
  /** Told what happens, layer by layer. */
  readonly onProgress?: OnPullProgress;
  /** For this pull only; it is kept nowhere. */
  readonly auth?: RegistryAuth;
  /** Asked before anything of the image is stored, and for one that is here already before it is returned. */
  readonly verify?: VerifyImage;
  /** Layers that are downloaded at once. @defaultValue 3, as Docker */
  readonly maxConcurrentDownloads?: number;
}

const POLICIES: readonly unknown[] = ['always', 'missing', 'newer', 'never'];

/** Throws BAD_OPTION for values that no option has. */
export function assertPullOptions(options: PullImageOptions): void {
  const { policy, onProgress, verify, maxConcurrentDownloads: downloads, auth } = options;
  if (policy !== undefined && !POLICIES.includes(policy))
    throw bad('policy', policy, 'always, missing, newer or never');
  if (onProgress !== undefined && typeof onProgress !== 'function') throw bad('onProgress', onProgress, 'a function');
  if (verify !== undefined && typeof verify !== 'function') throw bad('verify', verify, 'a function');
  if (downloads !== undefined && !(Number.isSafeInteger(downloads) && downloads >= 1 && downloads <= 64)) {
    throw bad('maxConcurrentDownloads', downloads, 'a number from 1 to 64');
  }
  // What it is goes into no message.
  if (auth !== undefined && (typeof auth !== 'object' || auth === null)) throw bad('auth', undefined, 'an object');
}

function bad(field: string, value: unknown, expected: string): Error {
  return engineError('BAD_OPTION', `${field} ${quote(value)} is not ${expected}`, {
    details: { field, value: quote(value) },
  });
}
