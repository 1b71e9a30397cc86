import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { engineError, quote } from '../errors/index.js';
import type { ProcessIdentity } from '../os/index.js';

const META_BYTES_MAX = 16_384;
const key = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,199}$/));
const metaSchema = v.object({
  version: v.literal(1),
  kind: v.picklist(['active', 'view']),
  parent: v.optional(key),
  volatile: v.optional(v.boolean()),
  lowerDirectory: v.optional(v.pipe(v.string(), v.startsWith('/'))),
  owner: v.optional(v.object({ pid: v.number(), startTime: v.string(), bootId: v.string() })),
});

/** What `meta.json` says of a snapshot. Its place says the rest: it does not change when the snapshot is committed. */
export interface SnapshotMeta {
  readonly kind: 'active' | 'view';
  readonly parent?: string | undefined;
  /** A host directory in the place of a parent. */
  readonly lowerDirectory?: string | undefined;
  readonly volatile?: boolean | undefined;
  /** The process that a transient snapshot belongs to. */
  readonly owner?: ProcessIdentity | undefined;
}

export function formatMeta(meta: SnapshotMeta): string {
  return JSON.stringify({ version: 1, ...meta });
}

/** Reads a `meta.json`; `undefined` when there is none. Throws SNAPSHOT_CORRUPT. */
export function readMeta(path: string): SnapshotMeta | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw engineError('SNAPSHOT_CORRUPT', `${quote(path)} can't be read`, { details: { path, errno }, cause });
  }
  if (text.length > META_BYTES_MAX) {
    throw engineError('SNAPSHOT_CORRUPT', `${quote(path)} has ${text.length} bytes, no snapshot record has so many`, {
      details: { path },
    });
  }
  try {
    return v.parse(metaSchema, JSON.parse(text));
  } catch (cause) {
    throw engineError('SNAPSHOT_CORRUPT', `${quote(path)} is not a snapshot record`, { details: { path }, cause });
  }
}
