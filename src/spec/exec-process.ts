import { engineError } from '../errors/index.js';
import { allCapabilities, type CapabilityFacts, capabilitySets } from './capabilities.js';
import { checkWorkingDir } from './container-path.js';
import { envEntries } from './environment.js';
import type { OciProcess } from './oci-types.js';
import type { ResolvedUser } from './resolve-user.js';

/** What an exec changes of the container's process. */
export interface ExecProcessOptions {
  readonly command: readonly string[];
  /** Over the container's environment; a map, or `NAME=value` entries. */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  readonly workingDir?: string;
  /** @defaultValue the container's */
  readonly user?: ResolvedUser;
  readonly tty?: boolean;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** All capabilities; needs `hostFacts`. */
  readonly privileged?: boolean;
  readonly hostFacts?: CapabilityFacts;
  /** Home of the container's own user: when HOME still says this, another user gets their own. */
  readonly containerHome?: string;
}

/**
 * The process document of an exec: the container's process with another command. It never has more capabilities than the
 * container unless privileged, and none that are inheritable. Throws NO_COMMAND, BAD_ENV, BAD_WORKING_DIR.
 */
export function buildExecProcess(base: OciProcess, options: ExecProcessOptions): OciProcess {
  const { command, user } = options;
  if (command[0] === undefined || command[0] === '') {
    throw engineError('NO_COMMAND', 'field command is empty', { details: { field: 'command' } });
  }
  const tty = options.tty === true;
  const bounding =
    options.privileged === true && options.hostFacts !== undefined
      ? allCapabilities(options.hostFacts)
      : (base.capabilities?.bounding ?? []);
  const { consoleSize: _consoleSize, ...inherited } = base;
  return {
    ...inherited,
    terminal: tty,
    ...(tty && options.consoleSize
      ? { consoleSize: { height: options.consoleSize.rows, width: options.consoleSize.columns } }
      : {}),
    user: {
      ...(user === undefined ? base.user : { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] }),
      umask: 0o022,
    },
    args: [...command],
    env: execEnvironment(base.env, options),
    cwd: options.workingDir === undefined ? base.cwd : checkWorkingDir('workingDir', options.workingDir),
    capabilities: capabilitySets(bounding, user?.uid ?? base.user.uid),
  };
}

function execEnvironment(base: readonly string[], options: ExecProcessOptions): string[] {
  const env = new Map<string, string>();
  for (const entry of base) {
    const split = entry.indexOf('=');
    env.set(entry.slice(0, split), entry.slice(split + 1));
  }
  if (options.user !== undefined && (!env.has('HOME') || env.get('HOME') === options.containerHome)) {
    env.set('HOME', options.user.home);
  }
  if (options.tty === true && !env.has('TERM')) env.set('TERM', 'xterm');
  for (const [name, value] of envEntries('env', options.env)) env.set(name, value);
  return Array.from(env, ([name, value]) => `${name}=${value}`);
}
