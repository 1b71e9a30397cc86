import { engineError } from '../../errors/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { validateContainerOptions } from '../../spec/index.js';
import type { ContainerDeps } from '../deps.js';
import { bindToSignal } from '../process/bind-to-signal.js';
import { type CollectOptions, checkCollectOptions, collectProcess } from '../process/collect.js';
import type { ProcessResult, RunningProcess } from '../process/running-process.js';
import { launchEphemeral } from './launch.js';

/** Options of `engine.run`: the container's and how output is collected. @public */
export interface RunOptions extends Omit<ContainerOptions, 'image' | 'command'>, CollectOptions {}

/** Options of `engine.spawn`. @public */
export interface SpawnContainerOptions extends Omit<ContainerOptions, 'image' | 'command'> {
  /** Give the process a stdin to write to; with `tty` it always has one. @defaultValue false */
  readonly stdin?: boolean;
  /** Aborts the start, and later kills the container: `exit` then rejects with CANCELED or TIMED_OUT. */
  readonly signal?: AbortSignal;
}

/** Runs one command in a throwaway container to its end. */
export async function runEphemeral(
  deps: ContainerDeps,
  image: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<ProcessResult> {
  const startedAt = performance.now();
  const { input, maxOutputBytes, timeoutMs, check, signal, ...rest } = options;
  const collect: CollectOptions = {
    maxOutputBytes: maxOutputBytes ?? deps.config.maxCollectedOutputBytes,
    ...(input !== undefined && { input }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(check !== undefined && { check }),
    ...(signal !== undefined && { signal }),
  };
  checkCollectOptions(collect);
  const launched = await launchEphemeral(
    deps,
    {
      options: validateContainerOptions(withCommand(rest, image, command)),
      stdin: input !== undefined,
    },
    collect,
  );
  const result = await collectProcess(launched.process, collect, launched.destroy);
  return { ...result, durationMs: performance.now() - startedAt };
}

/** Starts one command in a throwaway container and gives its streams; it is gone when `exit` settles. */
export async function spawnEphemeral(
  deps: ContainerDeps,
  image: string,
  command: readonly string[],
  options: SpawnContainerOptions = {},
): Promise<RunningProcess> {
  const { stdin, signal, ...rest } = options;
  const launched = await launchEphemeral(
    deps,
    { options: validateContainerOptions(withCommand(rest, image, command)), stdin: stdin ?? false },
    signal === undefined ? {} : { signal },
  );
  return bindToSignal(launched, signal);
}

function withCommand(options: object, image: string, command: readonly string[]): ContainerOptions {
  for (const field of ['image', 'command']) {
    if (Object.hasOwn(options, field)) {
      throw engineError('CONFLICTING_OPTIONS', `field ${field} stands in the options beside the argument ${field}`, {
        details: { field },
      });
    }
  }
  return { ...options, image, ...(command.length > 0 && { command }) };
}
