import { engineError, quote } from '../../errors/index.js';
import { assertSafeName } from '../../util/ids.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import type { WantedVolume } from './compare.js';
import type { Holder } from './hold-volume.js';
import type { CreateVolumeOptions, HolderInput } from './types.js';
import { copyStrings } from './volume-record.js';

const MAX_STRINGS_BYTES = 1024 * 1024;
const KNOWN_CREATE: KnownOptions<CreateVolumeOptions> = {
  signal: true,
  name: true,
  driver: true,
  options: true,
  labels: true,
  anonymous: true,
  ifExists: true,
  holder: true,
};
const KNOWN_HOLDER: KnownOptions<HolderInput> = { id: true, kind: true, owner: true };
const KINDS: ReadonlySet<unknown> = new Set(['container', 'ephemeral', 'host']);
const IF_EXISTS: ReadonlySet<unknown> = new Set(['error', 'return-if-equal', 'return']);

/** Checks the options of `create`. Throws BAD_OPTION, UNKNOWN_OPTION, BAD_NAME. */
export function checkCreate(options: CreateVolumeOptions): WantedVolume {
  assertKnownOptions(options, KNOWN_CREATE);
  const { name, driver, anonymous = name === undefined, ifExists = 'return-if-equal', holder } = options;
  if (name !== undefined) assertSafeName('name', name);
  if (driver !== undefined) checkText('driver', driver);
  checkBoolean('anonymous', anonymous);
  if (!IF_EXISTS.has(ifExists)) {
    throw bad('ifExists', ifExists, 'is none of "error", "return-if-equal", "return"');
  }
  return {
    name,
    driver,
    options: checkStrings('options', options.options ?? {}),
    labels: checkStrings('labels', options.labels ?? {}),
    anonymous,
    ifExists,
    holder: holder === undefined ? undefined : checkHolder(holder),
  };
}

/** Checks a holder. Throws BAD_OPTION, BAD_NAME. */
export function checkHolder(input: HolderInput): Holder {
  assertKnownOptions(input, KNOWN_HOLDER);
  const { id, owner, kind = owner === undefined ? 'host' : 'ephemeral' } = input;
  assertSafeName('holder.id', id);
  if (!KINDS.has(kind)) throw bad('holder.kind', kind, 'is none of "container", "ephemeral", "host"');
  if (owner === undefined) return { id, kind, owner };
  const { pid, startTime, bootId } = owner ?? {};
  if (!Number.isSafeInteger(pid) || typeof startTime !== 'string' || typeof bootId !== 'string') {
    throw bad('holder.owner', owner, 'is no process identity');
  }
  return { id, kind, owner: { pid, startTime, bootId } };
}

export function checkBoolean(field: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw bad(field, value, 'is neither true nor false');
}

export function checkText(field: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw bad(field, value, 'is not a text');
}

/** Foreign keys and values as an object without prototype. Values are not shown: they may be passwords. */
function checkStrings(field: string, value: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(field, value, 'is not an object');
  const copy = copyStrings(value);
  let bytes = 0;
  for (const [key, text] of Object.entries(copy)) {
    if (typeof text !== 'string' || key === '') {
      throw engineError('BAD_OPTION', `field ${field}.${quote(key, 64)} is not a text`, { details: { field } });
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
  }
  if (bytes <= MAX_STRINGS_BYTES) return copy;
  throw engineError('BAD_OPTION', `field ${field} has ${bytes} bytes, and ${MAX_STRINGS_BYTES} are allowed`, {
    details: { field, bytes, limit: MAX_STRINGS_BYTES },
  });
}

function bad(field: string, value: unknown, what: string): Error {
  return engineError('BAD_OPTION', `field ${field} ${quote(value)} ${what}`, {
    details: { field, value: quote(value) },
  });
}
