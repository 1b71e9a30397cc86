import type { Writable } from 'node:stream';
import type { ProcessIdentity } from '../os/process-identity.js';
import type { CallOptions } from '../util/signals.js';
import type { OciRuntime } from './oci-runtime.js';

/** What a supervisor is asked to create. All directories exist and are private (0700). */
export interface SuperviseRequest {
  readonly id: string;
  readonly name: string;
  /** Holds config.json; the root file system is mounted where config.json says. */
  readonly bundle: string;
  /** The supervisor's own files of this container (sockets, fifos, pid files). On a tmpfs where there is one. */
  readonly runDir: string;
  /** CRI-format (k8s-file) log of the container's output; appended to. */
  readonly logFile: string;
  /** Exit records survive the run dir: `<exitDir>/<id>` in the container's own durable directory. */
  readonly exitDir: string;
  readonly runtime: OciRuntime;
  readonly terminal: boolean;
  /** Keep stdin open for writers; otherwise the container reads end of file at once. */
  readonly stdin: boolean;
  /** OOM score of the supervisor process. */
  readonly oomScoreAdj?: number;
  /** Command that the supervisor runs at the container's exit when it can; argv. */
  readonly exitCommand?: readonly string[];
}

/** Facts about a supervised container: persisted in the run record; enough for any later process to take over. */
export interface SupervisedTask {
  readonly supervisor: string;
  readonly id: string;
  readonly bundle: string;
  readonly runDir: string;
  readonly exitDir: string;
  readonly supervisorProcess: ProcessIdentity | undefined;
  readonly init: ProcessIdentity;
  /** Shim: its socket. */
  readonly address?: string;
}

export interface WaitOptions extends CallOptions {
  /** False: the host's event loop may end meanwhile; for a watcher that nobody waits for. @defaultValue true */
  readonly keepAlive?: boolean;
}

export interface ExitRecord {
  /** 0 to 255; 128 + n for a signal. -1 when it was lost with supervisor or host. */
  readonly exitCode: number;
  readonly exitedAt: Date;
  readonly oomKilled: boolean;
}

/**
 * Holds a durable container's stdio and exit code while hosts come and go. Two adapters exist: conmon and
 * containerd-shim-runc-v2; both pass one contract suite. All calls are safe to repeat from any process.
 */
export interface Supervisor {
  readonly name: 'conmon' | 'shim';
  /** Creates the container (not started) under a new supervisor. On failure nothing of it is left. A host that dies meanwhile leaves what `delete` cleans. */
  create(request: SuperviseRequest, call?: CallOptions): Promise<SupervisedTask>;
  /** Starts the created container. Errors: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED. */
  start(task: SupervisedTask, runtime: OciRuntime, call?: CallOptions): Promise<void>;
  /** The exit if it is known now. */
  findExit(task: SupervisedTask, call?: CallOptions): Promise<ExitRecord | undefined>;
  /** Waits for the exit, event-driven. When the supervisor dies first: waits for the process's end and gives exit code -1. */
  wait(task: SupervisedTask, call?: WaitOptions): Promise<ExitRecord>;
  /** Opens the container's stdin for writing (request.stdin). Ending it closes the container's stdin where the supervisor can. */
  openStdin(task: SupervisedTask, call?: CallOptions): Promise<Writable>;
  /** Ends and removes container, supervisor and their files; idempotent; also for a half-made one (task may be partial). */
  delete(
    task: Pick<SupervisedTask, 'id' | 'bundle' | 'runDir' | 'exitDir'> & Partial<SupervisedTask>,
    runtime: OciRuntime,
    call?: CallOptions,
  ): Promise<void>;
}
