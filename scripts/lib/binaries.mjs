// What the two commands need besides npm packages: program, Debian package, and which command needs it.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Searched after PATH: a user's PATH often lacks the sbin directories where runc lives. */
const SYSTEM_PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * `need`: `quickstart` and `tests` include each other downwards (tests need all). `optional`: without it the command
 * goes on and says what it leaves out.
 */
export const BINARIES = [
  { name: 'runc', apt: 'runc', need: 'quickstart', optional: false },
  { name: 'conmon', apt: 'conmon', need: 'quickstart', optional: false },
  { name: 'perl', apt: 'perl-base', need: 'quickstart', optional: false },
  { name: 'crun', apt: 'crun', need: 'quickstart', optional: true },
  { name: 'busybox', apt: 'busybox-static', need: 'quickstart', optional: true },
  { name: 'containerd-shim-runc-v2', apt: 'containerd', need: 'tests', optional: true },
  { name: 'umoci', apt: 'umoci', need: 'tests', optional: true },
  { name: 'skopeo', apt: 'skopeo', need: 'tests', optional: true },
  { name: 'buildah', apt: 'buildah', need: 'tests', optional: true },
  { name: 'mmdebstrap', apt: 'mmdebstrap', need: 'tests', optional: true },
  { name: 'strace', apt: 'strace', need: 'tests', optional: true },
  { name: 'zstd', apt: 'zstd', need: 'tests', optional: true },
  { name: 'xz', apt: 'xz-utils', need: 'tests', optional: true },
  { name: 'bzip2', apt: 'bzip2', need: 'tests', optional: true },
  { name: 'setfattr', apt: 'attr', need: 'tests', optional: true },
  { name: 'setcap', apt: 'libcap2-bin', need: 'tests', optional: true },
  { name: 'ip', apt: 'iproute2', need: 'tests', optional: true },
  { name: 'unshare', apt: 'util-linux', need: 'tests', optional: true },
  { name: 'losetup', apt: 'mount', need: 'tests', optional: true },
  { name: 'mkfs.ext4', apt: 'e2fsprogs', need: 'tests', optional: true },
  { name: 'mkfs.xfs', apt: 'xfsprogs', need: 'tests', optional: true },
  { name: 'linux.uml', apt: 'user-mode-linux', need: 'tests', optional: true },
  { name: 'ps', apt: 'procps', need: 'tests', optional: true },
  { name: 'tar', apt: 'tar', need: 'tests', optional: true },
  { name: 'gcc', apt: 'gcc', need: 'tests', optional: true },
  { name: 'C headers', file: '/usr/include/stdio.h', apt: 'libc6-dev', need: 'tests', optional: true },
  { name: 'openssl', apt: 'openssl', need: 'tests', optional: true },
  { name: 'docker-registry', apt: 'docker-registry', need: 'tests', optional: true },
  { name: 'setpriv', apt: 'util-linux', need: 'tests', optional: true },
  { name: 'rclone', apt: 'rclone', need: 'tests', optional: true },
  { name: 'fusermount3', apt: 'fuse3', need: 'tests', optional: true },
  { name: 'tini-static', apt: 'tini', need: 'tests', optional: true },
  {
    name: 'runtime-spec schemas',
    file: '/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema',
    apt: 'golang-github-opencontainers-specs-dev',
    need: 'tests',
    optional: true,
  },
];

/** PATH with the system directories added, for this process and its children. */
export function fullPath(path = process.env.PATH ?? '') {
  const parts = path.split(':').filter((part) => part !== '');
  for (const part of SYSTEM_PATHS) if (!parts.includes(part)) parts.push(part);
  return parts.join(':');
}

/** Absolute path of a program, or undefined. */
export function which(name) {
  for (const dir of fullPath().split(':')) {
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

function isThere(row) {
  return row.file === undefined ? which(row.name) !== undefined : existsSync(row.file);
}

/** The rows of the table that a command needs and this machine lacks. */
export function missingBinaries(need) {
  return BINARIES.filter((row) => (need === 'tests' || row.need === 'quickstart') && !isThere(row));
}
