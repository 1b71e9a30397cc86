import { SAFE_NAME } from '../util/ids.js';
import type { MountOptions } from './container-options.js';
import { badField } from './fail.js';

type Propagation = NonNullable<Extract<MountOptions, { type: 'bind' }>['propagation']>;

export const PROPAGATIONS: ReadonlySet<string> = new Set([
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'],
]);

/** Words of Docker's short form that mean nothing here: relabelling without SELinux, hints for other hosts. */
const NO_EFFECT = new Set(['rw', 'z', 'Z', 'nocopy', 'cached', 'delegated', 'consistent']);

/**
 * Parses `source:target[:options]`. A source that is no path names a volume. Docker makes a missing source directory, so
 * does this. Throws BAD_MOUNT_SOURCE, BAD_MOUNT_OPTION; the target is checked later with all others.
 */
export function parseBind(field: string, text: unknown): MountOptions {
  if (typeof text !== 'string') throw badField('BAD_MOUNT_SOURCE', field, text, 'is not a string');
  const parts = text.split(':');
  const [source, target, words = ''] = parts;
  if (parts.length < 2 || parts.length > 3 || !source || !target) {
    throw badField(
      'BAD_MOUNT_SOURCE',
      field,
      text,
      'is not source:target[:options]; for paths with a colon use mounts',
    );
  }
  const readOnly: { readOnly?: boolean } = {};
  const bind: { propagation?: Propagation; nonRecursive?: boolean } = {};
  for (const word of words === '' ? [] : words.split(',')) {
    if (word === 'ro') readOnly.readOnly = true;
    else if (word === 'bind-nonrecursive') bind.nonRecursive = true;
    else if (PROPAGATIONS.has(word)) bind.propagation = word as Propagation;
    else if (!NO_EFFECT.has(word)) {
      throw badField(
        'BAD_MOUNT_OPTION',
        field,
        text,
        `has the option "${word}"; ro, rw, bind-nonrecursive, z, Z and ${[...PROPAGATIONS].join(', ')} exist`,
      );
    }
  }
  if (source.startsWith('/')) return { type: 'bind', source, target, createSource: true, ...bind, ...readOnly };
  if (!SAFE_NAME.test(source)) {
    throw badField('BAD_MOUNT_SOURCE', field, text, 'has a source that is neither an absolute path nor a volume name');
  }
  return { type: 'volume', source, target, ...readOnly };
}
