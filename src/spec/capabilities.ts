import { badField } from './fail.js';
import type { OciProcess } from './oci-types.js';

/** Every capability, in the order of the kernel's numbers: the index is the number. */
export const CAPABILITIES: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

const NUMBERS = new Map(CAPABILITIES.map((name, number) => [name, number]));

/** What a container has when nothing is added or dropped: Docker's fourteen. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL'],
  'CAP_AUDIT_WRITE',
];

export interface CapabilityRequest {
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
}

/** `net_admin`, `CAP_NET_ADMIN` → `CAP_NET_ADMIN`; `ALL` stays. Throws BAD_CAPABILITY for a name that does not exist. */
export function normalizeCapability(field: string, name: unknown): string {
  if (typeof name === 'string' && name.length <= 64) {
    const upper = name.toUpperCase();
    if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (NUMBERS.has(full)) return full;
  }
  throw badField('BAD_CAPABILITY', field, name, 'is not a capability');
}

/** All capabilities up to the kernel's last one (`/proc/sys/kernel/cap_last_cap`). */
export function allCapabilities(lastCapability: number): string[] {
  return CAPABILITIES.slice(0, lastCapability + 1);
}

/**
 * The bounding set by Docker's rules: privileged has all; `add ALL` is all but the dropped; `drop ALL` is just the added;
 * otherwise the default set without the dropped, with the added (added wins). Names of a newer kernel are refused.
 */
export function resolveCapabilities(request: CapabilityRequest, lastCapability: number): string[] {
  if (request.privileged === true) return allCapabilities(lastCapability);
  const add = (request.capAdd ?? []).map((name, i) => known(`capAdd[${i}]`, name, lastCapability));
  const drop = new Set((request.capDrop ?? []).map((name, i) => known(`capDrop[${i}]`, name, 99)));
  if (add.includes('ALL')) return allCapabilities(lastCapability).filter((name) => !drop.has(name));
  const start = drop.has('ALL') ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.has(name));
  return [...new Set([...start, ...add])];
}

/**
 * The five sets. Inheritable and ambient stay empty: a non-empty inheritable set lets file capabilities of the image
 * raise privileges (CVE-2022-29162 and its family). A user other than root starts without effective ones, as after an execve.
 */
export function capabilitySets(bounding: readonly string[], uid: number): NonNullable<OciProcess['capabilities']> {
  const active = uid === 0 ? [...bounding] : [];
  return { bounding: [...bounding], effective: active, permitted: [...active], inheritable: [], ambient: [] };
}

function known(field: string, name: string, lastCapability: number): string {
  const full = normalizeCapability(field, name);
  const number = NUMBERS.get(full);
  if (number !== undefined && number > lastCapability) {
    throw badField('BAD_CAPABILITY', field, name, 'is not known to this kernel');
  }
  return full;
}
