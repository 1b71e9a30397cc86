import { engineError } from '../errors/index.js';
import type { ImageRunConfig } from '../images/types.js';
import { capabilitySets } from './capabilities.js';
import type { ContainerOptions } from './container-options.js';
import { checkWorkingDir } from './container-path.js';
import { buildEnvironment } from './environment.js';
import { INIT_TARGET } from './mounts.js';
import type { OciProcess } from './oci-types.js';
import type { ResolvedUser } from './resolve-user.js';
import { buildRlimits } from './rlimits.js';

export interface ProcessInput {
  readonly options: ContainerOptions;
  readonly image: ImageRunConfig | undefined;
  readonly user: ResolvedUser;
  readonly capabilities: readonly string[];
  /** For HOSTNAME; `undefined` leaves it out. */
  readonly hostname: string | undefined;
  /** The command runs under the init binary. */
  readonly underInit: boolean;
}

/** The container's first process. Throws NO_COMMAND, BAD_WORKING_DIR, BAD_ENV. */
export function buildProcess(input: ProcessInput): OciProcess {
  const { options, image, user } = input;
  const tty = options.tty === true;
  const args = commandLine(options, image);
  const rlimits = buildRlimits(options.ulimits);
  return {
    terminal: tty,
    ...(tty && options.consoleSize
      ? { consoleSize: { height: options.consoleSize.rows, width: options.consoleSize.columns } }
      : {}),
    user: { uid: user.uid, gid: user.gid, umask: 0o022, additionalGids: [...user.additionalGids] },
    args: input.underInit ? [INIT_TARGET, '--', ...args] : args,
    env: buildEnvironment({ image: image?.env, options: options.env, hostname: input.hostname, home: user.home, tty }),
    cwd: workingDir(options, image),
    capabilities: capabilitySets(input.capabilities, user.uid),
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: options.noNewPrivileges === true,
    // Always written: what starts the runtime may run with a score of -1000 and it would be inherited.
    oomScoreAdj: options.oomScoreAdj ?? 0,
  };
}

/**
 * Entrypoint and command by Docker's rules: a given entrypoint replaces the image's and drops its Cmd (an empty one drops
 * the entrypoint alone), a given command replaces Cmd.
 */
export function commandLine(
  options: Pick<ContainerOptions, 'command' | 'entrypoint'>,
  image: Pick<ImageRunConfig, 'entrypoint' | 'cmd'> | undefined,
): string[] {
  const { entrypoint = image?.entrypoint ?? [] } = options;
  let command = options.command ?? [];
  if (command.length === 0 && !options.entrypoint?.length) command = image?.cmd ?? [];
  const blank = entrypoint.length === 1 && entrypoint[0] === '';
  const args = [...(blank ? [] : entrypoint), ...command];
  if (args[0] === undefined || args[0] === '') {
    throw engineError('NO_COMMAND', 'field command is missing and the image names no Entrypoint or Cmd', {
      details: { field: 'command' },
    });
  }
  return args;
}

/** The directory to start in. Throws BAD_WORKING_DIR. */
export function workingDir(
  options: Pick<ContainerOptions, 'workingDir'>,
  image: Pick<ImageRunConfig, 'workingDir'> | undefined,
): string {
  if (options.workingDir !== undefined) return checkWorkingDir('workingDir', options.workingDir);
  return image?.workingDir ? checkWorkingDir('image.WorkingDir', image.workingDir) : '/';
}
