import { closeSync, readdirSync, readFileSync, readlinkSync, readSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { engineError, quote } from '../../../errors/index.js';
import { isAlive } from '../../../os/process-identity.js';
import { connectSeqpacket, errnoOf, shutdownSocket } from '../../../os/syscalls/index.js';
import { sleep } from '../../../util/signals.js';
import type { SupervisedTask } from '../../supervisor.js';
import { openPipeWriter, pipeWritable } from '../pipe-writer.js';
import { conmonFiles } from './files.js';

const CLOSE_MS = 5_000;
/** conmon's largest packet to a client: a stream number and 8 KiB. */
const PACKET_BYTES = 8193;

/** Notes which pipe is the container's stdin, while its init still waits and has had no way to change it. */
export function noteStdinPipe(initPid: number, path: string): void {
  try {
    writeFileSync(path, readlinkSync(`/proc/${initPid}/fd/0`), { mode: 0o600 });
  } catch {
    // The process is gone; whoever starts it will see.
  }
}

/**
 * Opens a writer to the container's stdin. The pipe is taken from conmon's descriptors and not from the container's:
 * a container could put any file of its own there and have us write to it.
 */
export function openConmonStdin(task: SupervisedTask): Writable {
  const files = conmonFiles(task);
  const found = findPipe(task, files.stdin);
  if (found === undefined) {
    throw engineError('STDIN_CLOSED', `stdin of container ${quote(task.id)} is not open`, { details: { id: task.id } });
  }
  const { path, pipe } = found;
  const isOpen = () => linkTarget(path) === pipe;
  return pipeWritable(openPipeWriter(path), () => closeConmonStdin(files.attachSocket, isOpen));
}

/**
 * Makes conmon close its end of the container's stdin: it does when an attach client has sent end-of-file. Meanwhile it
 * writes output to the client, blockingly; so the client goes on reading until the end is seen to be closed. It may not
 * leave before: conmon 2.1.6 forgets the end-of-file of a client that it could not write to.
 */
async function closeConmonStdin(attachSocket: string, isOpen: () => boolean): Promise<void> {
  let fd: number;
  try {
    fd = connectSeqpacket(attachSocket);
  } catch (error) {
    // conmon is gone, and its end of the pipe with it.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ECONNREFUSED') return;
    throw error;
  }
  try {
    shutdownSocket(fd, 'write');
    const deadline = Date.now() + CLOSE_MS;
    for (let delayMs = 1; isOpen(); delayMs = Math.min(delayMs * 2, 10)) {
      discardOutput(fd);
      if (Date.now() > deadline) {
        throw engineError('SUPERVISOR_FAILED', `conmon at ${quote(attachSocket)} does not close its container's stdin`);
      }
      await sleep(delayMs, { keepAlive: true });
    }
  } finally {
    closeSync(fd);
  }
}

function discardOutput(fd: number): void {
  const packet = Buffer.allocUnsafe(PACKET_BYTES);
  try {
    while (readSync(fd, packet) > 0);
  } catch {
    // Nothing more for now (EAGAIN), or conmon has ended.
  }
}

function findPipe(task: SupervisedTask, noteFile: string): { path: string; pipe: string } | undefined {
  const conmon = task.supervisorProcess;
  if (conmon === undefined || !isAlive(conmon)) return undefined;
  try {
    const pipe = readFileSync(noteFile, 'utf8');
    if (!pipe.startsWith('pipe:')) return undefined;
    const dir = `/proc/${conmon.pid}/fd`;
    const name = readdirSync(dir).find((fd) => linkTarget(`${dir}/${fd}`) === pipe);
    return name === undefined ? undefined : { path: `${dir}/${name}`, pipe };
  } catch {
    return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
