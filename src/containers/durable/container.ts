import type { LogEntry } from '../../logs/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { LogOptions } from '../log-options.js';
import type { CollectOptions } from '../process/collect.js';
import type { ExecOptions, SpawnOptions } from '../process/exec-options.js';
import type { ProcessResult, RunningProcess } from '../process/running-process.js';
import { execInContainer, spawnInContainer } from './exec.js';
import { type ContainerDetails, inspectContainer } from './inspect.js';
import { killContainer } from './kill.js';
import { containerLogs } from './logs.js';
import { type RemoveOptions, removeContainer } from './remove.js';
import { startContainer } from './start.js';
import { type StopOptions, stopContainer } from './stop.js';
import { type ContainerExit, waitContainer } from './wait.js';

/**
 * A durable container by its id. The handle is a value: it holds nothing open, may be made any number of times, and
 * outlives neither more nor less than the container itself. Every call reads the state that is on disk now.
 *
 * @public
 */
export class Container {
  readonly #deps: ContainerDeps;
  readonly id: string;
  readonly name: string;

  /** @internal */
  constructor(deps: ContainerDeps, id: string, name: string) {
    this.#deps = deps;
    this.id = id;
    this.name = name;
  }

  /** Starts it; a running one is left alone. Throws the start error with `details.exitCode` 125, 126 or 127. */
  start(call: CallOptions = {}): Promise<void> {
    return this.#deps.live.call(() => startContainer(this.#deps, this.id, call));
  }

  /** Sends the stop signal and after the grace SIGKILL; resolves when it has exited. One that does not run is left alone. */
  async stop(options: StopOptions = {}): Promise<void> {
    this.#deps.live.assertOpen();
    return stopContainer(this.#deps, this.id, { ...options, ...this.#deps.live.orClosing(options) });
  }

  /** Sends a signal to its init. Throws CONTAINER_NOT_RUNNING, BAD_SIGNAL. */
  kill(signal: string | number = 'SIGKILL', call: CallOptions = {}): Promise<void> {
    return this.#deps.live.call(() => killContainer(this.#deps, this.id, signal, call));
  }

  /** Waits for the end of the current run, or of the first one. An exit that has happened is never missed. */
  async wait(call: CallOptions = {}): Promise<ContainerExit> {
    this.#deps.live.assertOpen();
    return waitContainer(this.#deps, this.id, this.#deps.live.orClosing(call));
  }

  /** Removes it. Throws CONTAINER_RUNNING unless `force`. */
  remove(options: RemoveOptions = {}): Promise<void> {
    return this.#deps.live.call(() => removeContainer(this.#deps, this.id, options));
  }

  /** Everything that is known of it now. */
  async inspect(call: CallOptions = {}): Promise<ContainerDetails> {
    this.#deps.live.assertOpen();
    return inspectContainer(this.#deps, this.id, call);
  }

  /** Runs a command in it and collects the output. A non-zero exit code is a result, not an error, unless `check`. */
  async exec(command: readonly string[], options: ExecOptions & CollectOptions = {}): Promise<ProcessResult> {
    this.#deps.live.assertOpen();
    return execInContainer(this.#deps, this.id, command, options);
  }

  /** Runs a command in it and gives its streams. */
  async spawn(command: readonly string[], options: SpawnOptions = {}): Promise<RunningProcess> {
    this.#deps.live.assertOpen();
    return spawnInContainer(this.#deps, this.id, command, options);
  }

  /** Its output: of all runs, from the oldest that is kept. */
  logs(options: LogOptions = {}): AsyncIterable<LogEntry> {
    this.#deps.live.assertOpen();
    return containerLogs(this.#deps, this.id, { ...options, ...this.#deps.live.orClosing(options) });
  }
}
