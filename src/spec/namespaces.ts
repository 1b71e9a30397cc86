import type { ContainerOptions } from './container-options.js';
import { badField } from './fail.js';
import type { OciSpec } from './oci-types.js';

/** Paths of namespaces to join: `/proc/<pid>/ns/x` of another container, or a bound network namespace. */
export interface NamespacePaths {
  readonly pid?: string;
  readonly ipc?: string;
  readonly network?: string;
}

/** Own, joined or the host's: one entry per namespace that is not the host's. Throws BAD_NAMESPACE_MODE. */
export function buildNamespaces(
  options: ContainerOptions,
  cgroupVersion: 1 | 2,
  paths: NamespacePaths = {},
): OciSpec['linux']['namespaces'] {
  const namespaces: OciSpec['linux']['namespaces'] = [{ type: 'mount' }];
  const network = options.network ?? 'none';
  if (network === 'none') namespaces.push({ type: 'network' });
  else if (network !== 'host') namespaces.push({ type: 'network', path: joined('network', network, paths.network) });
  if (options.utsMode !== 'host') namespaces.push({ type: 'uts' });
  const pid = options.pidMode ?? 'private';
  if (pid === 'private') namespaces.push({ type: 'pid' });
  else if (pid !== 'host') namespaces.push({ type: 'pid', path: joined('pidMode', pid, paths.pid) });
  const ipc = options.ipcMode ?? 'private';
  if (ipc === 'private' || ipc === 'none') namespaces.push({ type: 'ipc' });
  else if (ipc !== 'host') namespaces.push({ type: 'ipc', path: joined('ipcMode', ipc, paths.ipc) });
  const cgroup = options.cgroupnsMode ?? (cgroupVersion === 2 ? 'private' : 'host');
  if (cgroup === 'private') namespaces.push({ type: 'cgroup' });
  return namespaces;
}

function joined(field: string, mode: string, path: string | undefined): string {
  if (path !== undefined) return path;
  throw badField('BAD_NAMESPACE_MODE', field, mode, 'names no namespace that can be joined; host, private or none can');
}
