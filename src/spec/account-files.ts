/** Highest user and group id: the kernel's ids are wider, but other tools read them as signed (CVE-2024-40635). */
export const MAX_ID = 2_147_483_647;

/** Longer lines are skipped: no real account has one, and splitting them costs memory. */
const MAX_LINE = 256 << 10;

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The entries of /etc/passwd; malformed lines and ids out of range are skipped. */
export function* passwdEntries(text: string): Generator<PasswdEntry> {
  for (const line of lines(text)) {
    const [name = '', , uid, gid, , home = ''] = line.split(':', 7);
    const ids = [parseId(uid), parseId(gid)] as const;
    if (name !== '' && ids[0] !== undefined && ids[1] !== undefined) yield { name, uid: ids[0], gid: ids[1], home };
  }
}

/** The entries of /etc/group; malformed lines and ids out of range are skipped. */
export function* groupEntries(text: string): Generator<GroupEntry> {
  for (const line of lines(text)) {
    const [name = '', , id, members = ''] = line.split(':', 4);
    const gid = parseId(id);
    if (name !== '' && gid !== undefined) yield { name, gid, members: members === '' ? [] : members.split(',') };
  }
}

/** A decimal id from 0 to 2^31-1. */
export function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

function* lines(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    if (end - start <= MAX_LINE) {
      const line = text.slice(start, end).trim();
      if (line !== '' && !line.startsWith('#')) yield line;
    }
    start = end + 1;
  }
}
