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

export interface CapabilityFacts {
  /** `/proc/sys/kernel/cap_last_cap`. */
  readonly lastCapability: number;
  /** What the engine's process holds (`parseCapabilityMask`). @defaultValue everything */
  readonly capabilityMask?: bigint;
}

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

/** All capabilities that a container may have here. */
export function allCapabilities({ lastCapability, capabilityMask }: CapabilityFacts): string[] {
  const known = CAPABILITIES.slice(0, lastCapability + 1);
  return capabilityMask === undefined ? known : known.filter((_, number) => isHeld(capabilityMask, number));
}

/** What the engine itself holds, of the text of `/proc/self/status`: nothing more can be given to a container. */
export function parseCapabilityMask(status: string): bigint | undefined {
  const [permitted, bounding] = ['CapPrm', 'CapBnd'].map((set) =>
    new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status),
  );
  return permitted?.[1] && bounding?.[1] ? BigInt(`0x${permitted[1]}`) & BigInt(`0x${bounding[1]}`) : undefined;
}

/**
 * The bounding set by Docker's rules: privileged has all; `add ALL` is all but the dropped; `drop ALL` is just the added;
 * otherwise the default set without the dropped, with the added (added wins). An added one that the kernel does not know or the engine
 * does not hold is refused; of `ALL` and the default set it is left out.
 */
export function resolveCapabilities(request: CapabilityRequest, facts: CapabilityFacts): string[] {
  if (request.privileged === true) return allCapabilities(facts);
  const add = (request.capAdd ?? []).map((name, i) => usable(`capAdd[${i}]`, name, facts));
  const drop = new Set((request.capDrop ?? []).map((name, i) => normalizeCapability(`capDrop[${i}]`, name)));
  if (add.includes('ALL')) return allCapabilities(facts).filter((name) => !drop.has(name));
  const start = drop.has('ALL') ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.has(name) && isUsable(name, facts));
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

function usable(field: string, name: string, facts: CapabilityFacts): string {
  const full = normalizeCapability(field, name);
  if (full === 'ALL' || isUsable(full, facts)) return full;
  throw badField('BAD_CAPABILITY', field, name, 'is not known to this kernel or not held by this process');
}

function isUsable(name: string, { lastCapability, capabilityMask }: CapabilityFacts): boolean {
  const number = NUMBERS.get(name) ?? Number.POSITIVE_INFINITY;
  return number <= lastCapability && (capabilityMask === undefined || isHeld(capabilityMask, number));
}

function isHeld(mask: bigint, number: number): boolean {
  return ((mask >> BigInt(number)) & 1n) === 1n;
}
