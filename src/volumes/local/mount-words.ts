import { engineError, quote } from '../../errors/index.js';
import { MS } from '../../os/syscalls/index.js';
import { maskSecrets } from './secrets.js';

/** What the words of `o` mean to mount(2). */
export interface MountWords {
  /** MS_ flags to set. */
  readonly flags: number;
  /** MS_ flags that the words take away: a bind mount keeps those of its source otherwise. */
  readonly cleared: number;
  /** Changes of propagation, in order, for calls of their own after the mount. */
  readonly propagation: readonly number[];
  /** What the file system itself gets. */
  readonly data: readonly string[];
}

const SYNC = MS.SYNCHRONOUS;
const ATIME = MS.NOATIME | MS.RELATIME | MS.STRICTATIME;
const MANDLOCK = 64;
const DIRSYNC = 128;
const SILENT = 32768;
const I_VERSION = 1 << 23;

/** Word, flags it sets, flags it takes away. */
const FLAG_WORDS: ReadonlyMap<string, readonly [set: number, clear: number]> = new Map([
  ['defaults', [0, 0]],
  ['ro', [MS.RDONLY, 0]],
  ['rw', [0, MS.RDONLY]],
  ['nosuid', [MS.NOSUID, 0]],
  ['suid', [0, MS.NOSUID]],
  ['nodev', [MS.NODEV, 0]],
  ['dev', [0, MS.NODEV]],
  ['noexec', [MS.NOEXEC, 0]],
  ['exec', [0, MS.NOEXEC]],
  ['sync', [SYNC, 0]],
  ['async', [0, SYNC]],
  ['dirsync', [DIRSYNC, 0]],
  ['mand', [MANDLOCK, 0]],
  ['nomand', [0, MANDLOCK]],
  ['silent', [SILENT, 0]],
  ['loud', [0, SILENT]],
  ['iversion', [I_VERSION, 0]],
  ['noiversion', [0, I_VERSION]],
  ['atime', [0, MS.NOATIME]],
  ['noatime', [MS.NOATIME, MS.RELATIME | MS.STRICTATIME]],
  ['diratime', [0, MS.NODIRATIME]],
  ['nodiratime', [MS.NODIRATIME, 0]],
  ['relatime', [MS.RELATIME, MS.NOATIME | MS.STRICTATIME]],
  ['norelatime', [0, MS.RELATIME]],
  ['strictatime', [MS.STRICTATIME, MS.NOATIME | MS.RELATIME]],
  ['nostrictatime', [0, MS.STRICTATIME]],
  ['lazytime', [MS.LAZYTIME, 0]],
  ['nolazytime', [0, MS.LAZYTIME]],
  ['nosymfollow', [MS.NOSYMFOLLOW, 0]],
  ['symfollow', [0, MS.NOSYMFOLLOW]],
  ['bind', [MS.BIND, 0]],
  ['rbind', [MS.BIND | MS.REC, 0]],
]);

const PROPAGATION_WORDS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    private: MS.PRIVATE,
    slave: MS.SLAVE,
    shared: MS.SHARED,
    unbindable: MS.UNBINDABLE,
  }).flatMap(([word, flag]) => [
    [word, flag],
    [`r${word}`, flag | MS.REC],
  ]),
);

/** Words of fstab that are for mount(8) and the system's start, not for the kernel. */
const FSTAB_ONLY =
  /^(auto|noauto|user|nouser|users|nousers|owner|noowner|group|nogroup|_netdev|nofail|fail|(u?helper|comment)=.*|[xX]-.*)$/;

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['remount', 'a volume is mounted once, there is nothing to remount'],
  ['move', 'a volume can not take a mount away from another place'],
  ['loop', 'attach the loop device first and give it as device'],
]);

/** Flags of a bind mount that its source's mount has by itself. */
const PER_MOUNT: ReadonlyMap<string, number> = new Map([
  ['ro', MS.RDONLY],
  ['nosuid', MS.NOSUID],
  ['nodev', MS.NODEV],
  ['noexec', MS.NOEXEC],
  ['noatime', MS.NOATIME],
  ['nodiratime', MS.NODIRATIME],
  ['relatime', MS.RELATIME],
  ['nosymfollow', MS.NOSYMFOLLOW],
]);

/** Reads the words of `o`. Throws LOCAL_VOLUME_BAD_OPTION for those that a volume can't have. */
export function parseMountWords(o: string): MountWords {
  let flags = 0;
  let cleared = 0;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const word of splitWords(o)) {
    const flag = FLAG_WORDS.get(word);
    const change = PROPAGATION_WORDS.get(word);
    const refused = REFUSED.get(word.replace(/=.*/s, ''));
    if (refused !== undefined) throw badWord(word, refused);
    if (flag !== undefined) {
      flags = (flags & ~flag[1]) | flag[0];
      cleared = (cleared & ~flag[0]) | flag[1];
    } else if (change !== undefined) {
      propagation.push(change);
    } else if (!FSTAB_ONLY.test(word)) {
      data.push(word);
    }
  }
  return { flags, cleared, propagation, data };
}

/** The flags that a mount has, from its words in mountinfo. */
export function flagsOfMount(words: readonly string[]): number {
  return words.reduce((flags, word) => flags | (PER_MOUNT.get(word) ?? 0), 0);
}

/** Flags for the second call of a bind mount: what the source has unless taken away, and what was asked for. */
export function bindFlags(words: MountWords, current: number): number {
  const wanted = words.flags & ~(MS.BIND | MS.REC);
  const kept = current & ~words.cleared;
  return wanted | (wanted & ATIME ? kept & ~ATIME : kept);
}

/** Commas part words, but not those in double quotes or behind a backslash: paths and security labels have them. */
function splitWords(o: string): string[] {
  return (o.match(/(?:\\.|"[^"]*"|[^,])+/gs) ?? []).filter((word) => word !== '');
}

function badWord(word: string, why: string): Error {
  const value = quote(maskSecrets(word));
  return engineError('LOCAL_VOLUME_BAD_OPTION', `option o has ${value}: ${why}`, {
    details: { field: 'o', value },
  });
}
