import type { Writable } from 'node:stream';
import type { LogEntry } from '../../logs/index.js';
import { assertKnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { checkLogOptions, type LogOptions } from '../log-options.js';
import type { CollectOptions } from '../process/collect.js';
import type { ExecOptions, SpawnOptions } from '../process/exec-options.js';
import type { ProcessResult, RunningProcess } from '../process/running-process.js';
import { execInContainer, spawnInContainer } from './exec.js';
import { type ContainerDetails, type InspectContainerOptions, inspectContainer } from './inspect.js';
import { killContainer } from './kill.js';
import { containerLogs } from './logs.js';
import { type RemoveContainerOptions, removeContainer } from './remove.js';
import { startContainer } from './start.js';
import { openContainerStdin } from './stdin.js';
import { STOP, type StopContainerOptions, stopContainer } from './stop.js';
import { type ContainerExit, waitContainer } from './wait.js';

/**
 * A durable container by its id. The handle is a value: it holds nothing open and needs no closing, and any process
 * may have any number of them. Every call reads the state that is on disk now; each rejects with CONTAINER_NOT_FOUND
 * once the container is removed, but `wait`, and with CANCELED or TIMED_OUT when its signal aborts.
 *
 * @public
 */
export class Container {
  readonly #deps: ContainerDeps;
  /** 64 hex digits. */
  readonly id: string;
  /** The name it was given, else a random readable one; unique in the root. */
  readonly name: string;

  private constructor(deps: ContainerDeps, id: string, name: string) {
    this.#deps = deps;
    this.id = id;
    this.name = name;
  }

  /** For the engine. @internal */
  static make(deps: ContainerDeps, id: string, name: string): Container {
    return new Container(deps, id, name);
  }

  /**
   * Starts it; a running one is left alone, an exited one runs again with the same root file system. Start errors
   * (COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, UNKNOWN_USER, RUNTIME_FAILED…) carry `details.exitCode` 125, 126 or
   * 127, as `docker run` would exit.
   */
  start(call: CallOptions = {}): Promise<void> {
    return this.#deps.live.call(() => startContainer(this.#deps, this.id, call));
  }

  /**
   * Sends the stop signal and after the grace (`timeoutMs`) SIGKILL; resolves when it has exited. One that does not
   * run is left alone.
   */
  async stop(options: StopContainerOptions = {}): Promise<void> {
    this.#deps.live.assertOpen();
    assertKnownOptions(options, STOP);
    return stopContainer(this.#deps, this.id, { ...options, ...this.#deps.live.orClosing(options) });
  }

  /**
   * Sends a signal to its init: a name with or without `SIG`, or a number. Does not wait for the exit. As pid 1, a
   * process only gets signals that it handles, and SIGKILL. Throws CONTAINER_NOT_RUNNING, BAD_SIGNAL.
   */
  kill(signal: string | number = 'SIGKILL', call: CallOptions = {}): Promise<void> {
    return this.#deps.live.call(() => killContainer(this.#deps, this.id, signal, call));
  }

  /**
   * Gives the exit of the current run, or of the last one when it does not run; waits for the first run of one that was
   * never started. An exit is never missed, also not when the container was removed meanwhile (`autoRemove`): its exit
   * is kept for a while. Keeps the event loop alive. An exit code is a result, not an error.
   */
  async wait(call: CallOptions = {}): Promise<ContainerExit> {
    this.#deps.live.assertOpen();
    return waitContainer(this.#deps, this.id, this.#deps.live.orClosing(call));
  }

  /** Removes it with its root file system and output. Throws CONTAINER_RUNNING unless `force`, CONTAINER_NOT_FOUND. */
  remove(options: RemoveContainerOptions = {}): Promise<void> {
    return this.#deps.live.call(() => removeContainer(this.#deps, this.id, options));
  }

  /** Everything that is known of it now. Throws CONTAINER_NOT_FOUND. */
  async inspect(options: InspectContainerOptions = {}): Promise<ContainerDetails> {
    this.#deps.live.assertOpen();
    return inspectContainer(this.#deps, this.id, options);
  }

  /**
   * Runs a command in it and collects the output. A non-zero exit code is a result, not an error, unless `check`. The
   * process ends when this process does. Throws CONTAINER_NOT_RUNNING, NO_COMMAND, COMMAND_NOT_FOUND (exit code 127 in
   * details), COMMAND_NOT_EXECUTABLE (126), UNKNOWN_USER, BAD_WORKING_DIR, TIMED_OUT, OUTPUT_TOO_LARGE, NON_ZERO_EXIT.
   */
  async exec(command: readonly string[], options: ExecOptions & CollectOptions = {}): Promise<ProcessResult> {
    this.#deps.live.assertOpen();
    return execInContainer(this.#deps, this.id, command, options);
  }

  /** Runs a command in it and gives its streams. Throws CONTAINER_NOT_RUNNING; errors of the start reject `exit`. */
  async spawn(command: readonly string[], options: SpawnOptions = {}): Promise<RunningProcess> {
    this.#deps.live.assertOpen();
    return spawnInContainer(this.#deps, this.id, command, options);
  }

  /**
   * The stdin of its init, for a container created with `openStdin`; with `tty` that of its terminal. Any process may
   * write, one after the other; `end()` is end-of-file for the container, `destroy()` only lets go of it. Throws
   * CONTAINER_NOT_RUNNING, NO_STDIN, STDIN_CLOSED.
   */
  async stdin(call: CallOptions = {}): Promise<Writable> {
    this.#deps.live.assertOpen();
    return openContainerStdin(this.#deps, this.id, call);
  }

  /**
   * Its output by lines: of all runs, the oldest first. With `follow` it goes on until the current run ends, or the
   * first one for a container that was never started. Leaving the loop frees everything.
   */
  logs(options: LogOptions = {}): AsyncIterable<LogEntry> {
    this.#deps.live.assertOpen();
    checkLogOptions(options);
    return containerLogs(this.#deps, this.id, { ...options, ...this.#deps.live.orClosing(options) });
  }
}
