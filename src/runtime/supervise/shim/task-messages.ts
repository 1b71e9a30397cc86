import { bytesField, decodeMessage, encodeMessage, numberField } from './protobuf.js';

/** Messages of the service `containerd.task.v2.Task`, as far as they are used. */
export const TASK_SERVICE = 'containerd.task.v2.Task';

export interface CreateTask {
  readonly id: string;
  readonly bundle: string;
  readonly terminal: boolean;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** The runtime's executable and the parent of its namespace's state directory. */
  readonly binaryName: string;
  readonly root: string;
}

export function encodeCreate(task: CreateTask): Buffer {
  const options = encodeMessage([
    [6, task.binaryName],
    [7, task.root],
  ]);
  const any = encodeMessage([
    [1, 'containerd.runc.v1.Options'],
    [2, options],
  ]);
  return encodeMessage([
    [1, task.id],
    [2, task.bundle],
    [4, task.terminal],
    [5, task.stdin],
    [6, task.stdout],
    [7, task.stderr],
    [10, any],
  ]);
}

/** Requests of Start, State, Wait, Delete, Connect: the container's init is meant when there is no exec id. */
export function encodeId(id: string): Buffer {
  return encodeMessage([[1, id]]);
}

export function encodeKill(id: string, signal: number): Buffer {
  return encodeMessage([
    [1, id],
    [3, signal],
    [4, true],
  ]);
}

export function encodeCloseStdin(id: string): Buffer {
  return encodeMessage([
    [1, id],
    [3, true],
  ]);
}

export function encodeShutdown(id: string): Buffer {
  return encodeMessage([
    [1, id],
    [2, true],
  ]);
}

/** Reply of Create: pid of the container's init. */
export function decodePid(reply: Buffer): number {
  return numberField(decodeMessage(reply), 1);
}

/** Reply of Connect: pid of the shim. */
export function decodeShimPid(reply: Buffer): number {
  return numberField(decodeMessage(reply), 1);
}

export type TaskStatus = 'unknown' | 'created' | 'running' | 'stopped' | 'paused';

const STATUSES: readonly TaskStatus[] = ['unknown', 'created', 'running', 'stopped', 'paused'];

export interface TaskExit {
  readonly exitCode: number;
  readonly exitedAt: Date;
}

export interface TaskState extends TaskExit {
  readonly pid: number;
  readonly status: TaskStatus;
}

export function decodeState(reply: Buffer): TaskState {
  const fields = decodeMessage(reply);
  return {
    pid: numberField(fields, 3),
    status: STATUSES[numberField(fields, 4)] ?? 'unknown',
    exitCode: numberField(fields, 9),
    exitedAt: decodeTimestamp(bytesField(fields, 10)),
  };
}

/** Reply of Wait. */
export function decodeWait(reply: Buffer): TaskExit {
  const fields = decodeMessage(reply);
  return { exitCode: numberField(fields, 1), exitedAt: decodeTimestamp(bytesField(fields, 2)) };
}

function decodeTimestamp(bytes: Buffer): Date {
  const fields = decodeMessage(bytes);
  return new Date(numberField(fields, 1) * 1000 + Math.floor(numberField(fields, 2) / 1e6));
}
