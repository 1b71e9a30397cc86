import { readFileSync } from 'node:fs';

/** One line of /proc/<pid>/mountinfo, its octal escapes undone. */
export interface MountInfo {
  readonly id: number;
  readonly parentId: number;
  /** Path within the file system that is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly fsType: string;
  readonly source: string;
  readonly superOptions: string;
}

/** Reads the mounts that a process sees. */
export function readMountInfo(pid: number | 'self' = 'self'): MountInfo[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const dash = line.indexOf(' - ');
    if (dash < 0) continue;
    const [id, parentId, , root, mountPoint, options] = line.slice(0, dash).split(' ');
    const [fsType, source, superOptions] = line.slice(dash + 3).split(' ');
    mounts.push({
      id: Number(id),
      parentId: Number(parentId),
      root: unescapeOctal(root ?? ''),
      mountPoint: unescapeOctal(mountPoint ?? ''),
      options: (options ?? '').split(','),
      fsType: fsType ?? '',
      source: unescapeOctal(source ?? ''),
      superOptions: superOptions ?? '',
    });
  }
  return mounts;
}

// The kernel escapes space, tab, newline and backslash as \ooo, byte by byte; multi-byte characters stay as they are.
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
