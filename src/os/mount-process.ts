import { engineError } from '../errors/index.js';
import { type CallOptions, raceSignal, throwIfAborted } from '../util/signals.js';
import type { Child } from './child.js';
import { findExecutable, SYSTEM_ENV } from './find-executable.js';
import { spawnChild } from './spawn.js';
import { errnoNameOf, type MountAnswer, type MountCall, mountProgram, syscallError } from './syscalls/index.js';

/** Calls of mount(2) and umount2(2) that a process of its own does. */
export interface MountProcess {
  /** Settles when they are done. Throws the error of the call that failed, CANCELED or TIMED_OUT at once. */
  readonly done: Promise<void>;
  /** Resolves when the process is gone and can mount nothing any more; after a kill that may take as long as the kernel likes. */
  readonly gone: Promise<void>;
}

/**
 * Does mount calls that can block (servers, disks) in a process that can be killed, and not on the host's event loop. In
 * the calls descriptors stand for `fds` from 3 on (`/proc/self/fd/3`). It costs the start of a Node, some 40 ms.
 *
 * Throws TOOL_MISSING where the host is a single executable application and the system has no `node`.
 */
export async function startMountProcess(
  calls: readonly MountCall[],
  options: CallOptions & { readonly fds: readonly number[] },
): Promise<MountProcess> {
  throwIfAborted(options.signal);
  const { args, input } = mountProgram(calls);
  const child = spawnChild({
    file: await findNode(),
    args,
    env: { ...SYSTEM_ENV, ELECTRON_RUN_AS_NODE: '1' },
    stdin: 'pipe',
    // What Node says of a failure can quote its input.
    stderr: 'null',
    extraFds: options.fds,
  });
  child.stdin?.end(input);
  const done = raceSignal(finish(child, calls), options.signal).catch((error) => {
    child.kill('SIGKILL');
    child.unref();
    child.stdin?.destroy();
    child.stdout?.destroy();
    throw error;
  });
  return { done, gone: child.exit.then(() => {}) };
}

async function finish(child: Child, calls: readonly MountCall[]): Promise<void> {
  let text = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) text += chunk;
  const { code, signal } = await child.exit;
  if (code !== 0 || text === '') {
    throw engineError(
      'TOOL_FAILED',
      `the process that mounts ended with ${signal === null ? code : `signal ${signal}`}`,
      {
        details: { exitCode: code, signal },
      },
    );
  }
  const { at, errno } = JSON.parse(text) as MountAnswer;
  const failed = calls[at];
  if (failed !== undefined) throw syscallError(failed[0], errnoNameOf(errno));
}

/** The program that this process runs, also when a later version has taken its place on the disk. */
async function findNode(): Promise<string> {
  const { isSea } = await import('node:sea');
  if (!isSea()) return '/proc/self/exe';
  const node = findExecutable('node');
  if (node !== undefined) return node;
  throw engineError('TOOL_MISSING', 'mounting this volume takes "node", which a single executable application is not', {
    details: { tool: 'node' },
  });
}
