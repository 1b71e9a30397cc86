import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { engineError, quote } from '../errors/index.js';
import { type CallOptions, raceSignal, throwIfAborted } from '../util/signals.js';
import type { Child, ChildExit, RunOutput, SpawnRequest, StdioKind } from './child.js';
import { watchExit } from './exit-watch.js';
import { dupAbove, pipe2, posixSpawn } from './syscalls/index.js';

/**
 * Starts a process with exactly the given arguments, environment and descriptors.
 * Throws SYSCALL_FAILED (details.errno) when it can't be started; nothing is left open then.
 */
export function spawnChild(request: SpawnRequest): Child {
  const opened: number[] = [];
  const inChild: number[] = [];
  try {
    const stdin = childEnd(request.stdin ?? 'null', 'read', opened, inChild);
    const stdout = childEnd(request.stdout ?? 'pipe', 'write', opened, inChild);
    const stderr = childEnd(request.stderr ?? 'pipe', 'write', opened, inChild);
    const fds = [stdin.child, stdout.child, stderr.child, ...(request.extraFds ?? [])];
    let exitFd: number | undefined;
    if (request.exitWatch !== 'poll') {
      const exitPipe = pipe2();
      opened.push(exitPipe.readFd);
      inChild.push(exitPipe.writeFd);
      exitFd = exitPipe.readFd;
      fds.push(exitPipe.writeFd);
    }
    const pid = posixSpawn({
      file: request.file,
      argv: [request.file, ...request.args],
      env: Object.entries(request.env ?? {}).map(([name, value]) => `${name}=${value}`),
      cwd: request.cwd,
      fds: clearOfTargets(fds, inChild),
      processGroup: request.processGroup,
      newSession: request.newSession ?? false,
      terminalPath: request.terminalPath,
    });
    opened.length = 0;
    const watch = watchExit(pid, exitFd);
    return {
      pid,
      stdin: writableEnd(stdin.parent),
      stdout: readableEnd(stdout.parent),
      stderr: readableEnd(stderr.parent),
      exit: watch.exit,
      kill: watch.kill,
      unref: watch.unref,
    };
  } finally {
    for (const fd of inChild) closeSync(fd);
    for (const fd of opened) closeSync(fd);
  }
}

interface Ends {
  readonly child: number | null;
  readonly parent: number | undefined;
}

function childEnd(kind: StdioKind, childDoes: 'read' | 'write', opened: number[], inChild: number[]): Ends {
  if (kind === 'null') return { child: null, parent: undefined };
  if (typeof kind === 'number') return { child: kind, parent: undefined };
  const { readFd, writeFd } = pipe2();
  const child = childDoes === 'read' ? readFd : writeFd;
  const parent = childDoes === 'read' ? writeFd : readFd;
  opened.push(parent);
  inChild.push(child);
  return { child, parent };
}

/** Descriptors that an earlier dup2 of the list would overwrite are moved out of its way. */
function clearOfTargets(fds: readonly (number | null)[], inChild: number[]): (number | null)[] {
  return fds.map((fd, target) => {
    if (fd === null || fd >= fds.length || fd === target) return fd;
    const copy = dupAbove(fd, fds.length + 32);
    inChild.push(copy);
    return copy;
  });
}

function writableEnd(fd: number | undefined): Socket | undefined {
  if (fd === undefined) return undefined;
  const socket = new Socket({ fd, readable: false, writable: true });
  // A child that does not read its input ends the pipe; whoever writes sees that in the write's callback.
  socket.on('error', () => {});
  return socket;
}

function readableEnd(fd: number | undefined): Socket | undefined {
  return fd === undefined ? undefined : new Socket({ fd, readable: true, writable: false });
}

/** Adds input and limits to a spawn whose output is collected. */
export interface RunRequest extends SpawnRequest {
  readonly input?: string | Uint8Array;
  /** Bytes of stdout and of stderr that are kept; more ends the child. @defaultValue 16 MiB */
  readonly maxOutputBytes?: number;
  /** Ends the child after this long. @defaultValue none */
  readonly timeoutMs?: number;
}

/**
 * Runs a process to its end and collects its output. An aborted call kills it with SIGKILL and throws CANCELED or
 * TIMED_OUT at once, also when a process that it started holds the output open.
 */
export async function runChild(request: RunRequest, call: CallOptions = {}): Promise<RunOutput> {
  throwIfAborted(call.signal);
  const signal =
    request.timeoutMs === undefined
      ? call.signal
      : AbortSignal.any([AbortSignal.timeout(request.timeoutMs), ...(call.signal ? [call.signal] : [])]);
  const child = spawnChild({ ...request, stdin: request.input === undefined ? (request.stdin ?? 'null') : 'pipe' });
  try {
    if (request.input !== undefined) child.stdin?.end(request.input);
    const max = request.maxOutputBytes ?? 16 << 20;
    const [stdout, stderr, exit] = await raceSignal(
      Promise.all([collect(child.stdout, max, request), collect(child.stderr, max, request), child.exit]),
      signal,
    );
    return { ...exit, stdout, stderr };
  } catch (error) {
    child.kill('SIGKILL');
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    // It is reaped when it is gone; nobody waits for that.
    child.unref();
    throw error;
  }
}

async function collect(stream: Child['stdout'], max: number, request: SpawnRequest): Promise<string> {
  if (stream === undefined) return '';
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > max) {
      throw engineError('TOOL_FAILED', `${quote(request.file)} wrote more than ${max} bytes`, {
        details: { argv: [request.file, ...request.args], limit: max },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The conventional exit status of a child: its code, or 128 + the signal that ended it. */
export function exitStatus(exit: ChildExit): number {
  return exit.code ?? 128 + (exit.signal ?? 0);
}

export function signalNumber(signal: NodeJS.Signals | number): number {
  return typeof signal === 'number' ? signal : constants.signals[signal];
}
