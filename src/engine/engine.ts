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
import { engineError, quote } from '../errors/index.js';
import type { EngineEvent } from '../events/index.js';
import { Images } from '../images/index.js';
import type { DoctorReport } from '../sysinfo/index.js';
import { assertKnownOptions, type KnownOptions } from '../util/known-options.js';
import type { CallOptions } from '../util/signals.js';
import { closeEngine } from './close.js';
import { diagnose } from './diagnose.js';
import type { Drivers } from './drivers-facet.js';
import { type EngineInfo, engineInfo } from './info.js';
import { openParts } from './open.js';
import type { EngineParts } from './parts.js';
import { type UnbuiltFacet, unbuiltFacet } from './unbuilt.js';
import { Volumes } from './volumes-facet.js';

/** Which events. @public */
export interface EventOptions extends CallOptions {
  /** Only events after this sequence number, or of this time and later. @defaultValue now */
  readonly since?: number | Date;
  /** Only events of this time and earlier; without it the loop goes on until it is left or the signal aborts. */
  readonly until?: Date;
  /** Only of this kind of thing. */
  readonly type?: EngineEvent['type'];
  /** Only of this action: `create`, `start`, `die`, `kill`, `destroy`… */
  readonly action?: string;
  /** Only of the thing with this full id. */
  readonly id?: string;
  /** Only of things with these labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

const EVENTS: KnownOptions<EventOptions> = {
  signal: true,
  since: true,
  until: true,
  type: true,
  action: true,
  id: true,
  labels: true,
};

/**
 * A container engine in this process. Any number of processes may have the same root open at the same time; each may
 * die at any instruction: its throwaway containers end within a second, durable ones run on, and the next open repairs
 * what it finds. Close it with `close()` or `await using`.
 *
 * @public
 */
export class Engine implements AsyncDisposable {
  readonly #parts: EngineParts;
  #closing: Promise<void> | undefined;

  /** Containers: throwaway and durable. */
  readonly containers: Containers;
  /** Images of the root. */
  readonly images: Images;
  /** Volumes of the root. */
  readonly volumes: Volumes;
  /** Volume drivers of this program, the built-in one, and plugins. */
  readonly drivers: Drivers;
  /** Not built yet; plugins that somebody else runs are found by `drivers`. */
  readonly plugins: UnbuiltFacet = unbuiltFacet('plugins');
  /** Not built yet; containers take `network: 'none'` or `'host'`. */
  readonly networks: UnbuiltFacet = unbuiltFacet('networks');

  private constructor(parts: EngineParts) {
    this.#parts = parts;
    this.images = Images.make(parts.images, parts.deps.live);
    this.containers = Containers.make(parts.deps);
    this.volumes = Volumes.make(() => parts.volumes.store(), parts.deps.live);
    this.drivers = parts.drivers;
  }

  /**
   * Opens a root, making it where it is missing, and repairs what dead processes have left. The options are checked
   * once and frozen. Contacts nothing outside this machine.
   * Throws BAD_OPTION and its kin for options, BAD_DRIVER, DRIVER_EXISTS, ROOT_NOT_OURS, ROOT_UNREADABLE, ROOT_NEWER_SCHEMA, NO_CGROUPS,
   * NO_SNAPSHOTTER, NOT_PERMITTED.
   */
  static async open(options: EngineOptions & CallOptions = {}): Promise<Engine> {
    return new Engine(await openParts(options));
  }

  /** The root that was opened. */
  get root(): string {
    return this.#parts.deps.config.root;
  }

  /**
   * Runs one command in a throwaway container, collects its output and removes everything: `docker run --rm`. Without a
   * command the image's own runs. A non-zero exit code is a result, not an error, unless `check`. Errors of the start
   * carry `details.exitCode` 125, 126 or 127, as `docker run` would exit.
   *
   * Throws IMAGE_NOT_FOUND, NO_COMMAND, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, UNKNOWN_USER, UNKNOWN_OPTION and the
   * reasons of bad fields; TIMED_OUT, CANCELED, OUTPUT_TOO_LARGE, INPUT_FAILED, NON_ZERO_EXIT with the end of the output
   * in details; CLOSED.
   */
  async run(image: string, command: readonly string[] = [], options: RunOptions = {}): Promise<ProcessResult> {
    this.#assertOpen();
    return runEphemeral(this.#parts.deps, image, command, options);
  }

  /**
   * Starts one command in a throwaway container and gives its streams; the container is gone when `exit` settles.
   * Throws as `run` for what is found before the start; errors of the start itself reject `exit`.
   */
  async spawn(
    image: string,
    command: readonly string[] = [],
    options: SpawnContainerOptions = {},
  ): Promise<RunningProcess> {
    this.#assertOpen();
    return spawnEphemeral(this.#parts.deps, image, command, options);
  }

  /** A scope: all that is made through it goes with it, in reverse order. `await using scope = engine.scope()`. Throws CLOSED. */
  scope(): Scope {
    this.#assertOpen();
    return Scope.make(this.containers, this.volumes);
  }

  /**
   * Events of the root, those of other processes too, in order and without gaps, from the time of the call on unless
   * `since` says otherwise. An `overflow` event says that older ones than asked for are no longer kept. Leaving the loop
   * frees everything; an aborted signal ends it with CANCELED. Throws CLOSED, UNKNOWN_OPTION, BAD_OPTION.
   */
  events(options: EventOptions = {}): AsyncIterable<EngineEvent> {
    this.#assertOpen();
    checkEventOptions(options);
    return this.#parts.journalEvents({ ...options, ...this.#parts.deps.live.orClosing(options) });
  }

  /** What this engine is and has found on the host. Reads the list of containers and images; starts no program. */
  async info(): Promise<EngineInfo> {
    this.#assertOpen();
    return engineInfo(this.#parts);
  }

  /**
   * What this host lacks: programs, kernel features, permissions; each finding with its remedy. Asks programs for their
   * versions, tries an overlay mount; changes nothing. `console.log((await engine.doctor()).summary)`.
   */
  async doctor(call: CallOptions = {}): Promise<DoctorReport> {
    this.#assertOpen();
    return diagnose(this.#parts, call);
  }

  /**
   * Ends throwaway containers and exec sessions, leaves durable containers running, and frees all handles, so that the
   * host can end by itself. Idempotent. Calls after it fail with CLOSED.
   */
  close(): Promise<void> {
    this.#closing ??= closeEngine(this.#parts);
    return this.#closing;
  }

  /** `close()` */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    this.#parts.deps.live.assertOpen();
  }
}

function checkEventOptions(options: EventOptions): void {
  assertKnownOptions(options, EVENTS);
  for (const field of ['since', 'until'] as const) {
    const value: unknown = options[field];
    const isSequence = field === 'since' && Number.isSafeInteger(value);
    if (value === undefined || isSequence || (value instanceof Date && Number.isFinite(value.getTime()))) continue;
    const wanted = field === 'since' ? 'a valid Date or a sequence number' : 'a valid Date';
    throw engineError('BAD_OPTION', `field ${field} ${quote(value)} is not ${wanted}`, {
      details: { field, value: quote(value) },
    });
  }
}
