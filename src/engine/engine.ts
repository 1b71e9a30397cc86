import type { EngineOptions } from '../config/index.js';
import { Containers } from '../containers/containers-facet.js';
import {
  type RunOptions,
  runEphemeral,
  type SpawnContainerOptions,
  spawnEphemeral,
} from '../containers/ephemeral/run.js';
import type { ProcessResult, RunningProcess } from '../containers/process/running-process.js';
import { Scope } from '../containers/scope.js';
import type { EngineEvent } from '../events/index.js';
import type { ImageStore } from '../images/index.js';
import type { DoctorReport } from '../sysinfo/index.js';
import type { CallOptions } from '../util/signals.js';
import { closeEngine } from './close.js';
import { diagnose } from './diagnose.js';
import { type EngineInfo, engineInfo } from './info.js';
import { openParts } from './open.js';
import type { EngineParts } from './parts.js';
import { type UnbuiltFacet, unbuiltFacet } from './unbuilt.js';

/** Which events. @public */
export interface EventOptions extends CallOptions {
  /** From this sequence number (exclusive) or time on; default: from now on. */
  readonly since?: number | Date;
  /** End there; without it events go on until the signal or the loop ends. */
  readonly until?: Date;
  readonly type?: EngineEvent['type'];
  readonly action?: string;
  /** Only of this object. */
  readonly id?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * A container engine in this process. Any number of processes may have the same root open at the same time; each may
 * die at any instruction: its throwaway containers end within a second, durable ones run on, and the next open repairs
 * what it finds.
 *
 * @public
 */
export class Engine implements AsyncDisposable {
  readonly #parts: EngineParts;
  #closing: Promise<void> | undefined;

  readonly containers: Containers;
  /** Not built yet. */
  readonly volumes: UnbuiltFacet = unbuiltFacet('volumes');
  /** Not built yet. */
  readonly drivers: UnbuiltFacet = unbuiltFacet('drivers');
  /** Not built yet. */
  readonly plugins: UnbuiltFacet = unbuiltFacet('plugins');
  /** Not built yet; containers take `network: 'none'` or `'host'`. */
  readonly networks: UnbuiltFacet = unbuiltFacet('networks');

  private constructor(parts: EngineParts) {
    this.#parts = parts;
    this.containers = new Containers(parts.deps);
  }

  /**
   * Opens a root, making it where it is missing, and repairs what dead processes have left.
   * Throws BAD_OPTION and its kin for options, ROOT_NOT_OURS, ROOT_UNREADABLE, ROOT_NEWER_SCHEMA, NO_CGROUPS,
   * NO_SNAPSHOTTER, NOT_PERMITTED.
   */
  static async open(options: EngineOptions & CallOptions = {}): Promise<Engine> {
    return new Engine(await openParts(options));
  }

  /** Images of the root. Throws CLOSED. */
  get images(): ImageStore {
    this.#assertOpen();
    return this.#parts.images;
  }

  /** The root that was opened. */
  get root(): string {
    return this.#parts.deps.config.root;
  }

  /**
   * Runs one command in a throwaway container and collects its output.
   * A non-zero exit code is a result, not an error, unless `check`. Errors of the start carry `details.exitCode`
   * 125, 126 or 127, as `docker run` would exit.
   */
  async run(image: string, command: readonly string[] = [], options: RunOptions = {}): Promise<ProcessResult> {
    this.#assertOpen();
    return runEphemeral(this.#parts.deps, image, command, options);
  }

  /** Starts one command in a throwaway container and gives its streams. */
  async spawn(
    image: string,
    command: readonly string[] = [],
    options: SpawnContainerOptions = {},
  ): Promise<RunningProcess> {
    this.#assertOpen();
    return spawnEphemeral(this.#parts.deps, image, command, options);
  }

  /** A scope: all that is made through it goes with it, in reverse order. `await using scope = engine.scope()`. */
  scope(): Scope {
    this.#assertOpen();
    return new Scope(this.containers);
  }

  /**
   * Events of the root, those of other processes too, in order and without gaps. An `overflow` event says that older
   * ones than asked for are no longer kept.
   */
  events(options: EventOptions = {}): AsyncIterable<EngineEvent> {
    this.#assertOpen();
    return this.#parts.journalEvents({ ...options, ...this.#parts.deps.live.orClosing(options) });
  }

  /** What this engine is and has found on the host. */
  async info(): Promise<EngineInfo> {
    this.#assertOpen();
    return engineInfo(this.#parts);
  }

  /** What this host lacks: programs, kernel features, permissions; each finding with its remedy. */
  async doctor(call: CallOptions = {}): Promise<DoctorReport> {
    this.#assertOpen();
    return diagnose(this.#parts, call);
  }

  /** Ends throwaway containers and exec sessions, leaves durable containers running, and frees all handles. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= closeEngine(this.#parts);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    this.#parts.deps.live.assertOpen();
  }
}
