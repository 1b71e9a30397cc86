import { createHash } from 'node:crypto';
import { engineError, quote } from '../errors/index.js';
import type { Digest } from './types.js';

const DIGEST = /^sha256:[a-f0-9]{64}$/;
const HEX = /^[a-f0-9]{64}$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && DIGEST.test(value);
}

/** Checks a digest before it is used for anything, a path above all. Throws BAD_DIGEST; only sha256 is taken. */
export function parseDigest(value: unknown, field = 'digest'): Digest {
  if (isDigest(value)) return value;
  throw engineError('BAD_DIGEST', `${field} ${quote(value)} is not a sha256 digest`, {
    details: { field, value: quote(value) },
  });
}

/** The 64 hex digits of a checked digest: safe as a file name. */
export function digestHex(digest: Digest): string {
  return parseDigest(digest).slice('sha256:'.length);
}

/** The digest with these 64 hex digits; `undefined` for anything else. */
export function digestFromHex(hex: string): Digest | undefined {
  return HEX.test(hex) ? `sha256:${hex}` : undefined;
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The hash that a checked digest was made with. */
export function algorithmOf(_digest: Digest): 'sha256' {
  return 'sha256';
}

/** Chain id of a layer on its parent, as the OCI image spec defines it; the lowest layer's is its diff id. */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}

/** Chain ids of a stack of layers, lowest first. */
export function chainIdsOf(diffIds: readonly Digest[]): Digest[] {
  const chainIds: Digest[] = [];
  for (const diffId of diffIds) chainIds.push(chainIdOf(chainIds.at(-1), diffId));
  return chainIds;
}
