import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readMountInfo } from '#src/os/mountinfo.js';
import { MNT_DETACH, umount } from '#src/os/syscalls/index.js';
import { findBinary } from '../require.js';

export interface RclonePlugin {
  readonly name: 'rclone';
  /** What `socketDirs` wants. */
  readonly socketDir: string;
  /** Where it mounts its volumes, through FUSE. */
  readonly baseDir: string;
  readonly pid: number;
  /** Ends it and what it left mounted; gives the mountpoints that it left. */
  end(): Promise<string[]>;
}

/** What `rclone serve docker` lacks here; undefined: nothing. */
export function missingForRclone(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  return ['rclone', 'fusermount3'].find((name) => findBinary(name) === undefined);
}

/** Starts `rclone serve docker` with all that it keeps below `dir`, away from the user's own. */
export async function startRclonePlugin(dir: string): Promise<RclonePlugin> {
  const socketDir = join(dir, 'plugins');
  const baseDir = join(dir, 'base');
  const cacheDir = join(dir, 'cache');
  for (const path of [socketDir, baseDir, cacheDir]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const socket = join(socketDir, 'rclone.sock');
  const args = ['serve', 'docker', '--socket-addr', socket, '--no-spec', '--base-dir', baseDir];
  const own = ['-q', '--cache-dir', cacheDir, '--config', join(dir, 'rclone.conf')];
  const child = spawn(findBinary('rclone') ?? 'rclone', [...args, ...own], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', HOME: dir },
  });
  child.unref();
  const endsAt = Date.now() + 20_000;
  while (!(await answers(socket))) {
    if (child.exitCode !== null || Date.now() > endsAt) throw new Error('rclone did not start');
    await delay(20);
  }
  const end = async () => {
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.ref();
    child.kill('SIGTERM');
    await Promise.race([exited, delay(5_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
    await exited;
    const left = readMountInfo()
      .map((mount) => mount.mountPoint)
      .filter((path) => path.startsWith(`${baseDir}/`));
    for (const path of left) umount(path, MNT_DETACH);
    return left;
  };
  return { name: 'rclone', socketDir, baseDir, pid: child.pid as number, end };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
