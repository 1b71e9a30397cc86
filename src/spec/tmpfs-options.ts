import { badField } from './fail.js';

const FLAGS: ReadonlySet<string> = new Set([
  ...['ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async', 'atime', 'noatime'],
  ...['diratime', 'nodiratime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime'],
]);

const SIZE = /^\d{1,15}[kKmMgG%]?$/;
const COUNT = /^\d{1,15}[kKmMgG]?$/;
const VALUES: ReadonlyMap<string, RegExp> = new Map([
  ['size', SIZE],
  ['nr_blocks', COUNT],
  ['nr_inodes', COUNT],
  ['mode', /^[0-7]{1,5}$/],
  ['uid', /^\d{1,10}$/],
  ['gid', /^\d{1,10}$/],
  ['mpol', /^[a-z]{1,16}(=[a-z]{1,16})?(:[0-9-]{1,32})?$/],
]);

/** What a tmpfs has unless its options say otherwise. */
const OPPOSITES: readonly (readonly [string, string])[] = [
  ['noexec', 'exec'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
];

/** The mount options of Docker's tmpfs map (`size=64m,mode=1777,exec`), from a list of allowed words. Throws BAD_MOUNT_OPTION. */
export function parseTmpfsOptions(field: string, text: unknown): string[] {
  if (typeof text !== 'string') throw badField('BAD_MOUNT_OPTION', field, text, 'is not a string');
  const words = text === '' ? [] : text.split(',');
  for (const word of words) {
    if (FLAGS.has(word)) continue;
    const split = word.indexOf('=');
    const pattern = split < 0 ? undefined : VALUES.get(word.slice(0, split));
    if (!pattern?.test(word.slice(split + 1))) {
      const known = [...FLAGS, ...Array.from(VALUES.keys(), (key) => `${key}=`)].join(', ');
      throw badField('BAD_MOUNT_OPTION', field, text, `has "${word}"; ${known} exist`);
    }
  }
  const defaults = OPPOSITES.filter(([, opposite]) => !words.includes(opposite)).map(([flag]) => flag);
  return [...new Set([...defaults, ...words])];
}
