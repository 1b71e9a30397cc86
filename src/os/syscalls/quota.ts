import { errnoName, libc, syscallError } from './lib.js';

const cIoctl = libc<(fd: number, request: number, argument: Uint8Array) => number>(
  'int ioctl(int fd, unsigned long request, void *argument)',
);
const cQuotactlFd = libc<(n: number, fd: number, command: number, id: number, address: Uint8Array) => number>(
  'long syscall(long n, int fd, unsigned int command, unsigned int id, void *address)',
);
const cQuotactl = libc<(command: number, device: string, id: number, address: Uint8Array) => number>(
  'int quotactl(int command, const char *device, int id, void *address)',
);

const SYS_QUOTACTL_FD = 443;
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FSXATTR_BYTES = 28;
const FS_XFLAG_PROJINHERIT = 0x200;
const PRJQUOTA = 2;
const Q_XGETQUOTA = 0x5803;
const Q_XSETQLIM = 0x5804;
const Q_XGETQSTAT = 0x5805;
const FS_QUOTA_PDQ_ENFD = 1 << 5;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 1 << 2;
const FS_DQ_BHARD = 1 << 3;
const BLOCK_BYTES = 512n;

/** How quotactl is told the file system: any descriptor on it (Linux 5.14), or its block device's path. */
export type QuotaTarget = { readonly fd: number } | { readonly device: string };

/** Space of one project: what it may use (0: no limit) and what it uses. */
export interface ProjectSpace {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
}

/** The project of an open file or directory; 0 is none. Throws errno ENOTTY where the file system has none. */
export function projectOf(fd: number): { readonly id: number; readonly inherited: boolean } {
  const attributes = readAttributes(fd);
  return {
    id: attributes.readUInt32LE(12),
    inherited: (attributes.readUInt32LE(0) & FS_XFLAG_PROJINHERIT) !== 0,
  };
}

/** Puts a file or directory into a project; with `inherit` what is made in the directory later belongs to it, too. */
export function setProject(fd: number, id: number, { inherit }: { readonly inherit: boolean }): void {
  const attributes = readAttributes(fd);
  const flags = attributes.readUInt32LE(0);
  attributes.writeUInt32LE((inherit ? flags | FS_XFLAG_PROJINHERIT : flags & ~FS_XFLAG_PROJINHERIT) >>> 0, 0);
  attributes.writeUInt32LE(id, 12);
  if (cIoctl(fd, FS_IOC_FSSETXATTR, attributes) !== 0) throw syscallError('ioctl FS_IOC_FSSETXATTR', errnoName());
}

function readAttributes(fd: number): Buffer {
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  if (cIoctl(fd, FS_IOC_FSGETXATTR, attributes) !== 0) throw syscallError('ioctl FS_IOC_FSGETXATTR', errnoName());
  return attributes;
}

/** True when the file system holds projects to their limits now. */
export function enforcesProjectQuota(target: QuotaTarget): boolean {
  const stat = Buffer.alloc(80);
  call(target, Q_XGETQSTAT, 0, stat);
  return (stat.readUInt16LE(2) & FS_QUOTA_PDQ_ENFD) !== 0;
}

/** Space of a project; `undefined` when the file system has never heard of it. */
export function projectSpace(target: QuotaTarget, id: number): ProjectSpace | undefined {
  const quota = Buffer.alloc(112);
  try {
    call(target, Q_XGETQUOTA, id, quota);
  } catch (error) {
    if ((error as { details?: { errno?: unknown } }).details?.errno === 'ENOENT') return undefined;
    throw error;
  }
  return {
    limitBytes: Number(quota.readBigUInt64LE(8) * BLOCK_BYTES),
    usedBytes: Number(quota.readBigUInt64LE(40) * BLOCK_BYTES),
    inodes: Number(quota.readBigUInt64LE(48)),
  };
}

/** Limits the space of a project, rounded up to 512 bytes; 0 takes the limit away. */
export function limitProject(target: QuotaTarget, id: number, limitBytes: number): void {
  const quota = Buffer.alloc(112);
  const blocks = (BigInt(limitBytes) + BLOCK_BYTES - 1n) / BLOCK_BYTES;
  quota.writeInt8(FS_DQUOT_VERSION, 0);
  quota.writeInt8(FS_PROJ_QUOTA, 1);
  quota.writeUInt16LE(FS_DQ_BSOFT | FS_DQ_BHARD, 2);
  quota.writeUInt32LE(id, 4);
  quota.writeBigUInt64LE(blocks, 8);
  quota.writeBigUInt64LE(blocks, 16);
  call(target, Q_XSETQLIM, id, quota);
}

function call(target: QuotaTarget, subcommand: number, id: number, address: Uint8Array): void {
  const command = ((subcommand << 8) | PRJQUOTA) >>> 0;
  const failed =
    'fd' in target
      ? cQuotactlFd(SYS_QUOTACTL_FD, target.fd, command, id, address) !== 0
      : cQuotactl(command | 0, target.device, id | 0, address) !== 0;
  if (failed) throw syscallError('quotactl', errnoName(), { id });
}
