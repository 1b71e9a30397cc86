import type { ResolvedConfig } from '../config/index.js';
import { bad, type DoctorFinding, good } from './doctor-types.js';
import type { HostFacts } from './host-facts.js';
import { versionGate } from './versions.js';

/** Oldest kernel whose overlay, pids controller and seccomp logging the engine relies on. */
const OLDEST_KERNEL = '4.18.0';
const V1_CONTROLLERS = ['cpu', 'cpuset', 'devices', 'freezer', 'memory', 'pids'];
const V2_CONTROLLERS = ['cpu', 'memory', 'pids'];
/** Numbers of the capabilities that mounting, cgroups, device nodes and foreign owners need. */
const NEEDED_CAPABILITIES: Readonly<Record<string, bigint>> = {
  CAP_CHOWN: 0n,
  CAP_DAC_OVERRIDE: 1n,
  CAP_FOWNER: 3n,
  CAP_KILL: 5n,
  CAP_SETGID: 6n,
  CAP_SETUID: 7n,
  CAP_SETPCAP: 8n,
  CAP_SYS_CHROOT: 18n,
  CAP_SYS_ADMIN: 21n,
  CAP_MKNOD: 27n,
};

/** What the kernel and our rights on it allow. Pure: facts in, findings out. */
export function kernelFindings(
  facts: HostFacts,
  config: Pick<ResolvedConfig, 'snapshotter' | 'defaultSeccomp'>,
): DoctorFinding[] {
  return [privilegeFinding(facts), kernelFinding(facts), cgroupFinding(facts), seccompFinding(facts, config)].concat(
    overlayFinding(facts, config),
    userNamespaceFinding(facts),
  );
}

function privilegeFinding(facts: HostFacts): DoctorFinding {
  const what = 'rights of this process';
  if (!facts.isRoot) return bad('error', 'root', what, 'not root', 'run the host program as root');
  const lacking = Object.entries(NEEDED_CAPABILITIES)
    .filter(([, bit]) => ((facts.capabilities >> bit) & 1n) === 0n)
    .map(([name]) => name);
  if (lacking.length === 0) return good('root', what, 'root with all needed capabilities');
  return bad('error', 'root', what, `root without ${lacking.join(', ')}`, 'give the process these capabilities');
}

function kernelFinding(facts: HostFacts): DoctorFinding {
  const what = 'kernel version';
  if (versionGate(facts.kernelVersion, OLDEST_KERNEL)) return good('kernel', what, facts.kernelVersion);
  return bad('warning', 'kernel', what, facts.kernelVersion, `use Linux ${OLDEST_KERNEL} or newer`);
}

function cgroupFinding({ cgroup, unifiedControllers }: HostFacts): DoctorFinding {
  const what = 'cgroup hierarchies';
  if (cgroup.mode === 'none') {
    return bad('error', 'cgroup', what, 'none mounted', 'mount cgroup2 on /sys/fs/cgroup');
  }
  const present = cgroup.mode === 'v2' ? unifiedControllers : [...cgroup.controllers.keys(), ...unifiedControllers];
  const lacking = (cgroup.mode === 'v2' ? V2_CONTROLLERS : V1_CONTROLLERS).filter((name) => !present.includes(name));
  const found = `${cgroup.mode}: ${present.filter((name) => !name.startsWith('name=')).join(', ')}`;
  if (lacking.length === 0) return good('cgroup', what, found);
  // runc can't confine devices on v1 without the devices controller and refuses to start.
  const level = lacking.includes('devices') ? 'error' : 'warning';
  return bad(level, 'cgroup', what, `${found}; without ${lacking.join(', ')}`, 'enable the missing controllers');
}

function seccompFinding(facts: HostFacts, config: Pick<ResolvedConfig, 'defaultSeccomp'>): DoctorFinding {
  const what = 'seccomp filters';
  if (facts.seccomp) return good('seccomp', what, 'supported');
  const level = config.defaultSeccomp === 'unconfined' ? 'warning' : 'error';
  const remedy = 'use a kernel with CONFIG_SECCOMP_FILTER, or set defaultSeccomp to unconfined for trusted images';
  return bad(level, 'seccomp', what, 'not supported by the kernel', remedy);
}

function overlayFinding(facts: HostFacts, config: Pick<ResolvedConfig, 'snapshotter'>): DoctorFinding {
  const what = 'overlay in the kernel';
  if (facts.overlay) return good('overlay', what, 'present');
  if (config.snapshotter === 'overlay') {
    return bad('error', 'overlay', what, 'missing, and the snapshotter is overlay', 'set snapshotter to vfs or auto');
  }
  return bad('warning', 'overlay', what, 'missing', 'vfs serves instead; it copies each image and is slow');
}

function userNamespaceFinding(facts: HostFacts): DoctorFinding {
  const what = 'user namespaces';
  if (facts.userNamespaces) return good('user-namespaces', what, 'allowed');
  return bad(
    'warning',
    'user-namespaces',
    what,
    'not allowed',
    'raise /proc/sys/user/max_user_namespaces to use id maps',
  );
}
