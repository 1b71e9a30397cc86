import { closeSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { engineError, quote } from '../../../errors/index.js';
import { isAlive } from '../../../os/process-identity.js';
import { connectSeqpacket, errnoOf, shutdownSocket } from '../../../os/syscalls/index.js';
import type { SupervisedTask } from '../../supervisor.js';
import { openPipeWriter, pipeWritable } from '../pipe-writer.js';
import { conmonFiles } from './files.js';

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
  const path = findPipe(task, files.stdin);
  if (path === undefined) {
    throw engineError('STDIN_CLOSED', `stdin of container ${quote(task.id)} is not open`, { details: { id: task.id } });
  }
  return pipeWritable(openPipeWriter(path), () => closeConmonStdin(files.attachSocket));
}

/**
 * Makes conmon close its end of the container's stdin: it does when any attach client leaves. The client never reads:
 * both directions are shut down at once, so that conmon, which writes output to clients blockingly, gets an error instead of waiting.
 */
export function closeConmonStdin(attachSocket: string): void {
  let fd: number;
  try {
    fd = connectSeqpacket(attachSocket);
  } catch (error) {
    // conmon is gone, and its end of the pipe with it.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ECONNREFUSED') return;
    throw error;
  }
  try {
    shutdownSocket(fd, 'both');
  } finally {
    closeSync(fd);
  }
}

function findPipe(task: SupervisedTask, noteFile: string): string | undefined {
  const conmon = task.supervisorProcess;
  if (conmon === undefined || !isAlive(conmon)) return undefined;
  try {
    const pipe = readFileSync(noteFile, 'utf8');
    if (!pipe.startsWith('pipe:')) return undefined;
    const dir = `/proc/${conmon.pid}/fd`;
    const name = readdirSync(dir).find((fd) => readlinkSync(`${dir}/${fd}`) === pipe);
    return name === undefined ? undefined : `${dir}/${name}`;
  } catch {
    return undefined;
  }
}
