/** What a tar entry is. */
export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** A stretch of a sparse file that has data; what lies between is zeros. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/**
 * One entry of a tar archive. `path`, `linkPath` and the names of `xattrs` are byte strings (one character per byte, see
 * byte-string.ts), exactly as the archive has them: not cleaned, not made safe.
 */
export interface TarEntry {
  readonly path: string;
  readonly type: TarEntryType;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Size of the file in bytes (with its holes); 0 for everything but files. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Target of a symlink or hard link, else ''. */
  readonly linkPath: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The data segments of a sparse file. */
  readonly sparse?: readonly SparseSegment[];
}

/** What makes a `TarEntry` from the parts that matter. */
export type TarEntryInput = Pick<TarEntry, 'path' | 'type'> & Partial<TarEntry>;

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** Fills in what `input` leaves out: root's, mode 0644 (0755 for directories, 0777 for symlinks), epoch. */
export function tarEntry(input: TarEntryInput): TarEntry {
  const mode = input.type === 'directory' ? 0o755 : input.type === 'symlink' ? 0o777 : 0o644;
  return {
    mode,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeNs: 0n,
    linkPath: '',
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_XATTRS,
    ...input,
  };
}

export const BLOCK_SIZE = 512;

/** Bytes from the end of `size` bytes of data to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
}
