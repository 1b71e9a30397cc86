import { readFileSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { engineError } from '../../errors/index.js';
import { CriLogWriter, type LogEntry, readLog } from '../../logs/index.js';
import { identifyProcess, type ProcessIdentity, signalProcess } from '../../os/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { validateContainerOptions } from '../../spec/index.js';
import { shortId } from '../../util/ids.js';
import { type CallOptions, raceSignal } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { checkLogOptions, type LogOptions } from '../log-options.js';
import { bindToSignal } from '../process/bind-to-signal.js';
import { type CollectOptions, checkCollectOptions, collectProcess } from '../process/collect.js';
import { startExec } from '../process/exec.js';
import type { ExecOptions, SpawnOptions } from '../process/exec-options.js';
import type { ProcessExit, ProcessResult, RunningProcess } from '../process/running-process.js';
import { signalNumber } from '../signal-number.js';
import { type ContainerMount, describeMounts } from '../volumes/describe-mounts.js';
import { type EphemeralLaunch, launchEphemeral } from './launch.js';
import { waitForPidFile } from './started.js';

/** Options of `containers.ephemeral`. @public */
export interface EphemeralContainerOptions extends ContainerOptions, CallOptions {}

/**
 * A throwaway container that runs until its scope ends: disposed, it is killed and everything of it is removed; when
 * the host process dies in any way, the same happens within a second.
 *
 * @public
 */
export class EphemeralContainer implements AsyncDisposable {
  readonly #deps: ContainerDeps;
  readonly #launch: EphemeralLaunch;
  readonly #logPath: string;
  readonly #end: Promise<ProcessExit>;
  #ended = false;
  /** 64 hex digits. */
  readonly id: string;
  /** The name it was given, if any. */
  readonly name: string | undefined;
  /** When it was made. */
  readonly createdAt: Date;
  /** Who its init is: the number alone may be another process's between its end and ours noticing. */
  #init: ProcessIdentity | undefined;

  private constructor(deps: ContainerDeps, launch: EphemeralLaunch) {
    this.#deps = deps;
    this.#launch = launch;
    this.id = launch.id;
    this.name = launch.record.name;
    this.createdAt = new Date(launch.record.createdAt);
    this.#logPath = deps.session.logPath(launch.id);
    const logged = this.#keepLog();
    const onEnd = (): void => {
      this.#ended = true;
    };
    launch.process.exit.then(onEnd, onEnd);
    this.#end = launch.process.exit.finally(() => logged);
    this.#end.catch(() => {});
  }

  /** For the engine. @internal */
  static async start(deps: ContainerDeps, options: EphemeralContainerOptions): Promise<EphemeralContainer> {
    const { signal, ...rest } = options;
    const call: CallOptions = signal === undefined ? {} : { signal };
    const checked = validateContainerOptions(rest);
    const launch = await launchEphemeral(deps, { options: checked, stdin: checked.openStdin ?? false }, call);
    const container = new EphemeralContainer(deps, launch);
    try {
      const state = await waitForPidFile(launch.dir, launch.process.exit, signal);
      // A start error rejects `exit`; a process that has ended by itself leaves a container that has exited.
      if (state === 'ended') await launch.process.exit;
      else container.#init = identifyProcess(container.#readPid());
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
    return container;
  }

  /** True until the container's process has ended. */
  get running(): boolean {
    return !this.#ended;
  }

  /** Stdin of the container's process, when made with `openStdin` or `tty`; ending it is end-of-file. */
  get stdin(): RunningProcess['stdin'] {
    return this.#launch.process.stdin;
  }

  /** Binds, volumes and tmpfs mounts from all sources, parents before children. */
  get mounts(): readonly ContainerMount[] {
    return describeMounts(this.#launch.record.mounts);
  }

  /** Host pid of the container's init. Throws CONTAINER_NOT_RUNNING. */
  get pid(): number {
    this.#assertRunning('pid');
    return this.#readPid();
  }

  /**
   * Runs a command in the container and collects its output. A non-zero exit code is a result, not an error, unless
   * `check`. Throws CONTAINER_NOT_RUNNING, NO_COMMAND, COMMAND_NOT_FOUND (exit code 127 in details), COMMAND_NOT_EXECUTABLE
   * (126), UNKNOWN_USER, BAD_WORKING_DIR, TIMED_OUT, OUTPUT_TOO_LARGE, NON_ZERO_EXIT.
   */
  async exec(command: readonly string[], options: ExecOptions & CollectOptions = {}): Promise<ProcessResult> {
    checkCollectOptions(options);
    const session = this.#exec(command, { ...options, stdin: options.input !== undefined });
    return collectProcess(
      session.process,
      { maxOutputBytes: this.#deps.config.maxCollectedOutputBytes, ...options },
      session.destroy,
    );
  }

  /** Runs a command in the container and gives its streams. Throws CONTAINER_NOT_RUNNING; errors of the start reject `exit`. */
  async spawn(command: readonly string[], options: SpawnOptions = {}): Promise<RunningProcess> {
    return bindToSignal(this.#exec(command, options), options.signal);
  }

  /**
   * The container's output by lines, from the first byte on (of more than `maxCollectedOutputBytes`, the latest); with
   * `follow` also what comes until it ends. It can be read after the end too, until the container is removed or the
   * engine closed: then there is none.
   */
  logs(options: LogOptions = {}): AsyncIterable<LogEntry> {
    checkLogOptions(options);
    const end = (): void => {};
    return readLog({ ...options, path: this.#logPath, ended: this.#end.then(end, end) });
  }

  /** Waits for the end of the container's process; its output is then complete. An exit code is a result, not an error. */
  wait(call: CallOptions = {}): Promise<ProcessExit> {
    return raceSignal(this.#end, call.signal);
  }

  /**
   * Sends a signal to the container's init: a name with or without `SIG`, or a number; SIGKILL ends all its processes.
   * False when it has ended. As pid 1, a process only gets signals that it handles, and SIGKILL. Throws BAD_SIGNAL.
   */
  kill(signal: string | number = 'SIGKILL'): boolean {
    const number = signalNumber(signal);
    if (this.#ended) return false;
    if (number === 9) {
      this.#launch.destroy();
      return true;
    }
    this.#init ??= identifyProcess(this.#readPid());
    return this.#init !== undefined && signalProcess(this.#init, number);
  }

  /** Sets the terminal's size, in characters. Throws BAD_OPTION without a tty; nothing happens after the end. */
  resize(size: { readonly rows: number; readonly columns: number }): void {
    this.#launch.process.resize(size);
  }

  /** Kills and removes the container, with its output. Idempotent. The same as leaving its `await using` scope. */
  async remove(): Promise<void> {
    this.#launch.destroy();
    await this.#end.catch(() => {});
    rmSync(this.#logPath, { force: true });
  }

  /** `remove()` */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  #exec(command: readonly string[], options: SpawnOptions) {
    this.#assertRunning('exec');
    const { dir, id, runtime, spec } = this.#launch;
    const session = startExec(
      this.#deps,
      { id, runtime, process: spec.process, rootfs: `${dir}/rootfs` },
      command,
      options,
      options,
    );
    this.#deps.live.add(session);
    return session;
  }

  #readPid(): number {
    try {
      return Number(readFileSync(`${this.#launch.dir}/pid`, 'latin1'));
    } catch {
      return 0;
    }
  }

  #assertRunning(verb: string): void {
    if (!this.#ended) return;
    throw engineError('CONTAINER_NOT_RUNNING', `container ${shortId(this.id)} has ended; ${verb} needs it running`, {
      details: { id: this.id, verb },
    });
  }

  /** Output is kept in a file, so that a container never waits for a reader and `logs` can start at any time. Resolves when all of it is there. */
  #keepLog(): Promise<unknown> {
    const { stdout, stderr } = this.#launch.process;
    // In the run dir, which is memory on most hosts: a flood of output must not fill it.
    const log = new CriLogWriter(this.#logPath, { maxBytes: this.#deps.config.maxCollectedOutputBytes });
    stdout.on('data', (chunk: Buffer) => log.append('stdout', chunk));
    stderr.on('data', (chunk: Buffer) => log.append('stderr', chunk));
    // The exit may be known before the last output has come through the pipes.
    return Promise.all([closed(stdout), closed(stderr)]).then(() => log.close());
  }
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.on('error', () => {});
    if (stream.closed) resolve();
    else stream.once('close', resolve);
  });
}

export type { ContainerOptions };
