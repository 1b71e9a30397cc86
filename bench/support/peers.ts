import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collect, collectOk, findProgram } from './commands.js';
import type { SuiteContext } from './suite.js';

const READY_MS = 20_000;
// Shared memory that it makes on its first run on a machine, wherever its roots are.
const PODMAN_LOCKS = '/dev/shm/libpod_lock';
const NO_PROXY_ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent' };

/** Another engine, as its users start throwaway containers. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  /** `run --rm --network none bench true`. */
  runTrue(): Promise<void>;
}

/** The peers that are installed and can run here, each with an image of `rootfs`; why others can't is logged. */
export async function startPeers(context: SuiteContext, rootfs: string): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [name, start] of [
    ['docker', startDocker],
    ['podman', startPodman],
  ] as const) {
    try {
      const peer = await start(context, rootfs);
      if (peer !== undefined) peers.push(peer);
      else context.log(`${name} is not installed`);
    } catch (error) {
      context.log(`${name} can't be compared with: ${(error as Error).message.slice(-300)}`);
    }
  }
  return peers;
}

/** A daemon of our own, in its own mount and network namespaces: it touches neither a daemon that is there nor the network. */
async function startDocker(context: SuiteContext, rootfs: string): Promise<Peer | undefined> {
  const [docker, dockerd] = [findProgram('docker'), findProgram('dockerd')];
  if (docker === undefined || dockerd === undefined) return undefined;
  const dir = join(context.dir, 'docker');
  mkdirSync(dir);
  const host = `unix://${dir}/docker.sock`;
  const flags = [
    ...['--host', host, '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')],
    ...['--pidfile', join(dir, 'docker.pid'), '--bridge', 'none', '--iptables=false', '--ip6tables=false'],
  ];
  const daemon = spawn('unshare', ['--mount', '--net', '--propagation', 'private', dockerd, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: NO_PROXY_ENV,
  });
  let said = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const cli = (...args: string[]) => collectOk(docker, ['--host', host, ...args], NO_PROXY_ENV);
  try {
    await until(async () => {
      if (daemon.exitCode !== null) throw new Error(`dockerd ended: ${said.slice(-300)}`);
      return (await collect(docker, ['--host', host, 'version'], NO_PROXY_ENV)).code === 0;
    });
    await cli('import', packRootfs(rootfs, dir), 'bench:latest');
    const runTrue = async () => {
      await cli('run', '--rm', '--network', 'none', 'bench:latest', 'true');
    };
    await runTrue();
    return { name: 'docker run --rm', runTrue, [Symbol.asyncDispose]: () => end(daemon) };
  } catch (error) {
    await end(daemon);
    throw error;
  }
}

async function startPodman(context: SuiteContext, rootfs: string): Promise<Peer | undefined> {
  const podman = findProgram('podman');
  const runtime = findProgram(context.runtime);
  if (podman === undefined || runtime === undefined) return undefined;
  const dir = join(context.dir, 'podman');
  mkdirSync(dir);
  // It takes no more than 50 characters here.
  const runDir = mkdtempSync(join(tmpdir(), 'cbp-'));
  const hadLocks = existsSync(PODMAN_LOCKS);
  const global = [
    ...['--root', join(dir, 'root'), '--runroot', join(runDir, 'run'), '--tmpdir', join(runDir, 'tmp')],
    ...[
      '--storage-driver',
      'overlay',
      '--cgroup-manager',
      'cgroupfs',
      '--runtime',
      runtime,
      '--events-backend',
      'none',
    ],
  ];
  const cli = (...args: string[]) => collectOk(podman, [...global, ...args], NO_PROXY_ENV);
  // Its own defaults are above what a limited root may set.
  const limits = ['--ulimit', 'nproc=10000:10000', '--ulimit', 'nofile=10000:10000'];
  const remove = async () => {
    // Podman leaves its storage bind-mounted on itself.
    await collect('umount', ['-l', join(dir, 'root/overlay')]);
    rmSync(runDir, { recursive: true, force: true });
    if (!hadLocks) rmSync(PODMAN_LOCKS, { force: true });
  };
  try {
    await cli('import', packRootfs(rootfs, dir), 'localhost/bench:latest');
    const runTrue = async () => {
      await cli('run', '--rm', '--network', 'none', ...limits, 'localhost/bench:latest', 'true');
    };
    await runTrue();
    return { name: 'podman run --rm', runTrue, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function packRootfs(rootfs: string, dir: string): string {
  const archive = join(dir, 'rootfs.tar');
  execFileSync('tar', ['-C', rootfs, '-cf', archive, '.'], { stdio: 'ignore' });
  return archive;
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + READY_MS;
  while (!(await ready())) {
    if (Date.now() > end) throw new Error(`not ready within ${READY_MS} ms`);
    await sleep(100);
  }
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exited = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  const timer = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(timer);
}
