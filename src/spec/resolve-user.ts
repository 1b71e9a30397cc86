import { type GroupEntry, groupEntries, MAX_ID, type PasswdEntry, parseId, passwdEntries } from './account-files.js';
import { badField } from './fail.js';
import type { RootfsReader } from './rootfs-reader.js';

/** Who the process runs as: plain numbers, so it may be cached by image id, user and groups. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, then the supplementary ones. Leaving it empty would let a process pass group denials. */
  readonly additionalGids: readonly number[];
  /** Home directory, for HOME. */
  readonly home: string;
}

/** Cap on each of /etc/passwd and /etc/group. */
const MAX_FILE_BYTES = 10 << 20;
/** NGROUPS_MAX. */
const MAX_GROUPS = 65_536;
const ALL_DIGITS = /^[+-]?\d+$/;

/**
 * Docker's rules for `name`, `uid`, `name:group`, `uid:gid` and `:gid`; '' is root. Names come from the image's own files.
 * What is written as a number is a number and never looked up as a name. Supplementary groups are those that list the
 * user, unless a group is given. Throws BAD_USER, UNKNOWN_USER, HOSTILE_ROOTFS.
 */
export function resolveUser(
  rootfs: RootfsReader,
  user: string,
  groups: readonly (string | number)[] = [],
): ResolvedUser {
  const [userPart, groupPart] = splitUser(user);
  const account = findAccount(rootfs, user, userPart);
  const wanted = groups.map((group, i) => numberOf(`groups[${i}]`, String(group)) ?? String(group));
  const needsGroups = groupPart !== undefined || account.name !== undefined || wanted.some(isText);
  const entries = needsGroups ? [...groupEntries(readText(rootfs, '/etc/group'))] : [];
  const gid = groupPart === undefined ? account.gid : findGroup('user', user, groupPart, entries);
  const member = groupPart === undefined && account.name !== undefined ? memberships(entries, account.name) : [];
  const added = wanted.map((group, i) => (isText(group) ? findGroup(`groups[${i}]`, group, group, entries) : group));
  const additionalGids = [...new Set([gid, ...member, ...added])];
  if (additionalGids.length > MAX_GROUPS) {
    throw badField('BAD_USER', 'user', user, `is in more than ${MAX_GROUPS} groups of the image`);
  }
  return { uid: account.uid, gid, additionalGids, home: account.home };
}

/** Checks the form of a user without any image. Throws BAD_USER. */
export function checkUser(field: string, user: unknown): string {
  if (typeof user !== 'string') throw badField('BAD_USER', field, user, 'is not a string');
  splitUser(user, field);
  return user;
}

function splitUser(user: string, field = 'user'): [user: string, group: string | undefined] {
  if (user.length > 512 || /[\u0000-\u001f\u007f]/.test(user)) {
    throw badField('BAD_USER', field, user, 'is too long or has a control character');
  }
  const parts = user.split(':');
  if (parts.length > 2) throw badField('BAD_USER', field, user, 'has more than one colon');
  for (const part of parts) numberOf(field, part);
  return [parts[0] ?? '', parts[1] === '' ? undefined : parts[1]];
}

function findAccount(rootfs: RootfsReader, user: string, part: string): PasswdEntryOrNumber {
  const uid = part === '' ? 0 : numberOf('user', part);
  for (const entry of passwdEntries(readText(rootfs, '/etc/passwd'))) {
    if (uid === undefined ? entry.name === part : entry.uid === uid) return { ...entry, home: cleanHome(entry.home) };
  }
  if (uid === undefined) throw badField('UNKNOWN_USER', 'user', user, "is not in the image's /etc/passwd");
  return { name: undefined, uid, gid: 0, home: '/' };
}

type PasswdEntryOrNumber = Omit<PasswdEntry, 'name'> & { readonly name: string | undefined };

function findGroup(field: string, shown: string, part: string, entries: readonly GroupEntry[]): number {
  const gid = numberOf(field, part) ?? entries.find((entry) => entry.name === part)?.gid;
  if (gid !== undefined) return gid;
  throw badField('UNKNOWN_USER', field, shown, "names a group that is not in the image's /etc/group");
}

function memberships(entries: readonly GroupEntry[], name: string): number[] {
  return entries.filter((entry) => entry.members.includes(name)).map((entry) => entry.gid);
}

/** The number that `text` is; `undefined` for a name. Throws BAD_USER for a number out of range. */
function numberOf(field: string, text: string): number | undefined {
  if (!ALL_DIGITS.test(text)) return undefined;
  const id = parseId(text);
  if (id === undefined) throw badField('BAD_USER', field, text, `is not a number from 0 to ${MAX_ID}`);
  return id;
}

function readText(rootfs: RootfsReader, path: string): string {
  return rootfs.readFile(path, MAX_FILE_BYTES)?.toString('utf8') ?? '';
}

function cleanHome(home: string): string {
  return home.startsWith('/') && !/[\u0000-\u001f]/.test(home) ? home : '/';
}

function isText(value: string | number): value is string {
  return typeof value === 'string';
}
