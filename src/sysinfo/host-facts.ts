import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, endianness, release, totalmem } from 'node:os';
import { bootId, type CgroupLayout, readCgroupLayout } from '../os/index.js';

/** What the kernel of this host is and can do. Plain data, read once when an engine opens. */
export interface HostFacts {
  /** As uname -r says it. */
  readonly kernelVersion: string;
  readonly architecture: {
    readonly node: string;
    /** Name in OCI documents: `amd64`, `arm64`… */
    readonly oci: string;
    /** `v7` for 32-bit ARM, `v8` for 64-bit. */
    readonly variant: string | undefined;
  };
  readonly cgroup: CgroupLayout;
  /** Controllers of the v2 tree; on a hybrid host those that are not bound to a v1 hierarchy. */
  readonly unifiedControllers: readonly string[];
  /** Number of the last capability that the kernel knows. */
  readonly lastCapability: number;
  /** Effective capabilities of this process, bit n for capability n. */
  readonly capabilities: bigint;
  readonly isRoot: boolean;
  /** Seccomp filters can be loaded. */
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** The kernel has overlay, built in or as a module. */
  readonly overlay: boolean;
  readonly userNamespaces: boolean;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly bootId: string;
}

const OCI_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };

/** Reads the host's facts. Synchronous and cheap: a few small files of /proc and /sys. */
export function probeHost(): HostFacts {
  const status = read('/proc/self/status');
  const cgroup = readCgroupLayout();
  return {
    kernelVersion: release(),
    architecture: architecture(),
    cgroup,
    unifiedControllers:
      cgroup.unified === undefined ? [] : read(`${cgroup.unified}/cgroup.controllers`).split(/\s+/).filter(Boolean),
    lastCapability: Number(read('/proc/sys/kernel/cap_last_cap') || '40'),
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`),
    isRoot: process.geteuid?.() === 0,
    seccomp: /\berrno\b/.test(read('/proc/sys/kernel/seccomp/actions_avail')),
    apparmor: read('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    selinux: existsSync('/sys/fs/selinux/enforce'),
    overlay: hasOverlay(),
    userNamespaces: existsSync('/proc/self/ns/user') && Number(read('/proc/sys/user/max_user_namespaces')) > 0,
    memoryBytes: totalmem(),
    cpus: availableParallelism(),
    bootId: bootId(),
  };
}

function architecture(): HostFacts['architecture'] {
  const node = process.arch as string;
  let oci = OCI_ARCHITECTURES[node] ?? node;
  if (node === 'ppc64' && endianness() === 'LE') oci = 'ppc64le';
  const variant =
    node === 'arm64'
      ? 'v8'
      : node === 'arm'
        ? `v${(process.config.variables as { arm_version?: string }).arm_version ?? 7}`
        : undefined;
  return { node, oci, variant };
}

/** A module that is not loaded yet is not in /proc/filesystems; the kernel loads it at the first mount. */
function hasOverlay(): boolean {
  if (/^nodev\s+overlay$/m.test(read('/proc/filesystems'))) return true;
  return ['/lib/modules', '/usr/lib/modules'].some((dir) => existsSync(`${dir}/${release()}/kernel/fs/overlayfs`));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * crun refuses a hybrid host whose v2 tree has controllers, even when it is told to leave cgroups alone.
 * Returns why it can't run here, or `undefined`.
 */
export function crunObstacle(facts: Pick<HostFacts, 'cgroup' | 'unifiedControllers'>): string | undefined {
  if (facts.cgroup.mode !== 'hybrid' || facts.unifiedControllers.length === 0) return undefined;
  return `crun does not run beside hybrid cgroups (the v2 tree has ${facts.unifiedControllers.join(', ')})`;
}
