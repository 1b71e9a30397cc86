import { SAFE_NAME } from '../util/ids.js';
import type { MountOptions } from './container-options.js';
import { badField } from './fail.js';

type Propagation = NonNullable<Extract<MountOptions, { type: 'bind' }>['propagation']>;

export const PROPAGATIONS: ReadonlySet<string> = new Set([
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'],
]);

/** The words of the third part by what they decide: of each kind there may be one. */
const WORD_KINDS: ReadonlyMap<string, string> = new Map([
  ...['ro', 'rw'].map((word) => [word, 'access'] as const),
  ...['copy', 'nocopy'].map((word) => [word, 'copy'] as const),
  ...[...PROPAGATIONS].map((word) => [word, 'propagation'] as const),
  ['bind-nonrecursive', 'recursion'],
  // These mean nothing here: relabelling without SELinux, hints for other hosts.
  ...['z', 'Z'].map((word) => [word, 'label'] as const),
  ...['cached', 'delegated', 'consistent'].map((word) => [word, 'consistency'] as const),
]);

const ONLY_VOLUMES = new Set(['copy']);
const ONLY_BINDS = new Set(['propagation', 'recursion']);

/**
 * Parses `source:target[:options]`, or a target alone, which stands for an anonymous volume. A source that is no path
 * names a volume. Docker makes a missing source directory, so does this. Throws BAD_MOUNT_SOURCE, BAD_MOUNT_OPTION; the
 * target is checked later with all others.
 */
export function parseBind(field: string, text: unknown): MountOptions {
  if (typeof text !== 'string') throw badField('BAD_MOUNT_SOURCE', field, text, 'is not a string');
  const parts = text.split(':');
  const [source, target, modeText = ''] = parts;
  if (parts.length > 3 || !source || target === '') {
    throw badField(
      'BAD_MOUNT_SOURCE',
      field,
      text,
      'is not [source:]target[:options]; for paths with a colon use mounts',
    );
  }
  if (target === undefined) return { type: 'volume', target: source };
  if (parts.length === 2 && isMode(target)) {
    throw badField(
      'BAD_MOUNT_SOURCE',
      field,
      text,
      'has options and no source: an anonymous volume takes them in mounts',
    );
  }
  const words = parseMode(field, text, modeText);
  const access = words.get('access') === 'ro' ? { readOnly: true } : {};
  if (source.startsWith('/')) {
    refuse(field, text, words, ONLY_VOLUMES, 'goes with a volume, and this is a host path');
    const propagation = words.get('propagation') as Propagation | undefined;
    return {
      type: 'bind',
      source,
      target,
      createSource: true,
      ...(propagation !== undefined && { propagation }),
      ...(words.has('recursion') && { nonRecursive: true }),
      ...access,
    };
  }
  if (!SAFE_NAME.test(source)) {
    throw badField('BAD_MOUNT_SOURCE', field, text, 'has a source that is neither an absolute path nor a volume name');
  }
  refuse(field, text, words, ONLY_BINDS, 'goes with a host path, and this is a volume');
  return { type: 'volume', source, target, ...(words.get('copy') === 'nocopy' && { noCopy: true }), ...access };
}

function isMode(text: string): boolean {
  return text.split(',').every((word) => WORD_KINDS.has(word));
}

/** The words by kind. */
function parseMode(field: string, text: string, mode: string): Map<string, string> {
  const words = new Map<string, string>();
  for (const word of mode === '' ? [] : mode.split(',')) {
    const kind = WORD_KINDS.get(word);
    if (kind === undefined) {
      const known = [...WORD_KINDS.keys()].join(', ');
      throw badField('BAD_MOUNT_OPTION', field, text, `has the option "${word}"; those that exist: ${known}`);
    }
    const first = words.get(kind);
    if (first !== undefined) {
      throw badField('BAD_MOUNT_OPTION', field, text, `has both "${first}" and "${word}"; one of a kind is enough`);
    }
    words.set(kind, word);
  }
  return words;
}

function refuse(
  field: string,
  text: string,
  words: ReadonlyMap<string, string>,
  kinds: ReadonlySet<string>,
  why: string,
): void {
  for (const [kind, word] of words) {
    if (kinds.has(kind)) throw badField('BAD_MOUNT_OPTION', field, text, `has the option "${word}", which ${why}`);
  }
}
