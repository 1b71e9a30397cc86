import { engineError, quote } from '../../errors/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';

/** Paths of other containers' namespaces that this one joins. */
export interface NamespacePaths {
  readonly pid?: string;
  readonly ipc?: string;
  readonly network?: string;
}

const FIELDS = [
  ['pidMode', 'pid', 'pid'],
  ['ipcMode', 'ipc', 'ipc'],
  ['network', 'network', 'net'],
] as const;

/** Resolves `container:<id or name>` modes to the namespaces of that container's init. Throws CONTAINER_NOT_FOUND or CONTAINER_NOT_RUNNING. */
export async function resolveNamespaces(
  deps: Pick<ContainerDeps, 'repository'>,
  options: ContainerOptions,
  call: CallOptions,
): Promise<NamespacePaths> {
  const paths: Record<string, string> = {};
  for (const [field, key, file] of FIELDS) {
    const mode = options[field];
    if (mode === undefined || !mode.startsWith('container:')) continue;
    const target = mode.slice('container:'.length);
    const pid = await deps.repository.initPid(target, call);
    if (pid === undefined) {
      throw engineError('CONTAINER_NOT_RUNNING', `${field} ${quote(mode)}: container ${quote(target)} is not running`, {
        details: { field, value: mode },
      });
    }
    paths[key] = `/proc/${pid}/ns/${file}`;
  }
  return paths;
}
