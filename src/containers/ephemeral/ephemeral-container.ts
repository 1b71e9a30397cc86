import { readFileSync } from 'node:fs';
import { engineError } from '../../errors/index.js';
import { CriLogWriter, type LogEntry, readLog } from '../../logs/index.js';
import { identifyProcess, type ProcessIdentity, signalProcess } from '../../os/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { validateContainerOptions } from '../../spec/index.js';
import { shortId } from '../../util/ids.js';
import { type CallOptions, raceSignal } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { checkLogOptions, type LogOptions } from '../log-options.js';
import { type CollectOptions, checkCollectOptions, collectProcess } from '../process/collect.js';
import { startExec } from '../process/exec.js';
import type { ExecOptions, SpawnOptions } from '../process/exec-options.js';
import type { ProcessExit, ProcessResult, RunningProcess } from '../process/running-process.js';
import { signalNumber } from '../signal-number.js';
import { type EphemeralLaunch, launchEphemeral } from './launch.js';
import { waitForPidFile } from './started.js';

/** Options of `containers.ephemeral`. @public */
export interface EphemeralOptions extends ContainerOptions, CallOptions {}

/**
 * A throwaway container that runs until its scope ends: disposed, it is killed and everything of it is removed; when
 * the host process dies in any way, the same happens within a second.
 *
 * @public
 */
export class EphemeralContainer implements AsyncDisposable {
  readonly #deps: ContainerDeps;
  readonly #launch: EphemeralLaunch;
  #ended = false;
  /** Who its init is: the number alone may be another process's between its end and ours noticing. */
  #init: ProcessIdentity | undefined;

  private constructor(deps: ContainerDeps, launch: EphemeralLaunch) {
    this.#deps = deps;
    this.#launch = launch;
    const onEnd = (): void => {
      this.#ended = true;
    };
    launch.process.exit.then(onEnd, onEnd);
  }

  /** @internal */
  static async start(deps: ContainerDeps, options: EphemeralOptions): Promise<EphemeralContainer> {
    const { signal, ...rest } = options;
    const call: CallOptions = signal === undefined ? {} : { signal };
    const checked = validateContainerOptions(rest);
    const launch = await launchEphemeral(deps, { options: checked, stdin: checked.openStdin ?? false }, call);
    const container = new EphemeralContainer(deps, launch);
    try {
      container.#keepLog();
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

  get id(): string {
    return this.#launch.id;
  }

  get name(): string | undefined {
    return this.#launch.record.name;
  }

  get createdAt(): Date {
    return new Date(this.#launch.record.createdAt);
  }

  /** True until the container's process has ended. */
  get running(): boolean {
    return !this.#ended;
  }

  /** Writable when made with `openStdin` or `tty`. */
  get stdin(): RunningProcess['stdin'] {
    return this.#launch.process.stdin;
  }

  /** Host pid of the container's init. Throws CONTAINER_NOT_RUNNING. */
  get pid(): number {
    this.#assertRunning('pid');
    return this.#readPid();
  }

  /** Runs a command in the container and collects its output. A non-zero exit code is a result, not an error, unless `check`. */
  async exec(command: readonly string[], options: ExecOptions & CollectOptions = {}): Promise<ProcessResult> {
    checkCollectOptions(options);
    const session = this.#exec(command, { ...options, stdin: options.input !== undefined });
    return collectProcess(
      session.process,
      { maxOutputBytes: this.#deps.config.maxCollectedOutputBytes, ...options },
      session.destroy,
    );
  }

  /** Runs a command in the container and gives its streams. */
  async spawn(command: readonly string[], options: SpawnOptions = {}): Promise<RunningProcess> {
    const session = this.#exec(command, options);
    const { signal } = options;
    signal?.addEventListener('abort', session.destroy, { once: true });
    const done = (): void => signal?.removeEventListener('abort', session.destroy);
    session.process.exit.then(done, done);
    return session.process;
  }

  /** The container's output so far (of more than `maxCollectedOutputBytes`, the latest), and with `follow` what comes until it ends. */
  logs(options: LogOptions = {}): AsyncIterable<LogEntry> {
    checkLogOptions(options);
    this.#assertRunning('logs');
    return readLog({
      path: `${this.#launch.dir}/ctr.log`,
      ended: this.#launch.process.exit.then(
        () => {},
        () => {},
      ),
      ...options,
    });
  }

  /** Waits for the end of the container's process. */
  wait(call: CallOptions = {}): Promise<ProcessExit> {
    return raceSignal(this.#launch.process.exit, call.signal);
  }

  /** Sends a signal to the container's init; false when it has ended. SIGKILL ends all its processes. */
  kill(signal: NodeJS.Signals | number = 'SIGKILL'): boolean {
    const number = signalNumber(signal);
    if (this.#ended) return false;
    if (number === 9) {
      this.#launch.destroy();
      return true;
    }
    this.#init ??= identifyProcess(this.#readPid());
    return this.#init !== undefined && signalProcess(this.#init, number);
  }

  resize(size: { readonly rows: number; readonly columns: number }): void {
    this.#launch.process.resize(size);
  }

  /** Kills and removes the container. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#launch.destroy();
    await this.#launch.process.exit.catch(() => {});
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

  /** Output is kept in a file, so that a container never waits for a reader and `logs` can start at any time. */
  #keepLog(): void {
    const { dir, process: own } = this.#launch;
    // In the run dir, which is memory on most hosts: a flood of output must not fill it.
    const log = new CriLogWriter(`${dir}/ctr.log`, { maxBytes: this.#deps.config.maxCollectedOutputBytes });
    own.stdout.on('data', (chunk: Buffer) => log.append('stdout', chunk));
    own.stderr.on('data', (chunk: Buffer) => log.append('stderr', chunk));
    const close = (): void => log.close();
    own.exit.then(close, close);
  }
}

export type { ContainerOptions };
