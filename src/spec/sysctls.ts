import type { ContainerOptions } from './container-options.js';
import { badField } from './fail.js';
import { kernelAtLeast } from './seccomp/kernel-version.js';

const IPC_SYSCTLS: ReadonlySet<string> = new Set(
  ['msgmax', 'msgmnb', 'msgmni', 'sem', 'shmall', 'shmmax', 'shmmni', 'shm_rmid_forced'].map(
    (name) => `kernel.${name}`,
  ),
);

// Dots only, no slashes: runtimes make a path of the name, and `net/../kernel/x` would leave its namespace.
const SYSCTL_NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/;

/** The namespace that a sysctl belongs to, of those a container has for itself. Throws BAD_SYSCTL for any other. */
export function sysctlNamespace(field: string, name: string): 'ipc' | 'network' {
  if (SYSCTL_NAME.test(name) && name.length <= 256) {
    if (IPC_SYSCTLS.has(name) || name.startsWith('fs.mqueue.')) return 'ipc';
    if (name.startsWith('net.')) return 'network';
  }
  throw badField('BAD_SYSCTL', field, name, 'is not a sysctl of an IPC or network namespace');
}

/**
 * The sysctls of the container: the asked ones, refused where the namespace is not its own (BAD_SYSCTL), and, for a
 * private network, Docker's two: ports below 1024 and ping sockets for everybody. The domain name is a sysctl too, since
 * older runtimes don't know the field of the spec.
 */
export function buildSysctls(
  options: ContainerOptions,
  kernelVersion: string,
  joinsNetwork = false,
): Record<string, string> {
  const sysctls: Record<string, string> = Object.create(null);
  const network = options.network ?? 'none';
  if (network !== 'host' && !joinsNetwork && kernelAtLeast(kernelVersion, '4.11')) {
    sysctls['net.ipv4.ip_unprivileged_port_start'] = '0';
    sysctls['net.ipv4.ping_group_range'] = '0 2147483647';
  }
  if (options.domainname !== undefined && options.utsMode !== 'host') sysctls['kernel.domainname'] = options.domainname;
  for (const [name, value] of Object.entries(options.sysctls ?? {})) {
    const field = `sysctls[${JSON.stringify(name)}]`;
    const namespace = sysctlNamespace(field, name);
    if (namespace === 'network' && (network === 'host' || joinsNetwork)) {
      throw badField('BAD_SYSCTL', field, value, "needs a network namespace of the container's own");
    }
    if (namespace === 'ipc' && (options.ipcMode === 'host' || options.ipcMode?.startsWith('container:'))) {
      throw badField('BAD_SYSCTL', field, value, "needs an IPC namespace of the container's own");
    }
    sysctls[name] = value;
  }
  return sysctls;
}
