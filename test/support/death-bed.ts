import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Engine, type EngineOptions } from '#src/index.js';
import { makeBusyboxRootfs } from './busybox-rootfs.js';
import { diffSnapshots, type Snapshot, scopedSnapshot } from './leaks.js';

const HOST = join(import.meta.dirname, 'death-host.js');
const FAILPOINTS = pathToFileURL(join(import.meta.dirname, 'failpoints.js')).href;

/** The promise is a second; on a machine that others load at the same time only the order of things can be tested. */
export const GONE_LIMIT_MS = Number(
  process.env['CAISSON_TEST_DEATH_LIMIT_MS'] ?? (process.env['CAISSON_TEST_SHARED_MACHINE'] === '1' ? 8_000 : 1_000),
);

/** What a host process is told to do; see death-host.ts. */
export interface HostOrder {
  readonly options: EngineOptions;
  readonly job: string;
  readonly count?: number;
  readonly seed?: number;
  readonly seconds?: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface Host {
  readonly child: ChildProcess;
  /** The next message of the host; rejects when it ends before. */
  message(): Promise<unknown>;
  /** Its end, by itself or by a kill. */
  readonly ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;
  kill(): void;
}

export interface BedOptions {
  /** Part of the path of everything; may hold any characters. */
  readonly name?: string;
  readonly engine?: EngineOptions;
}

/** A root with one busybox image (`box`), for hosts that die. Everything carries the bed's path or cgroup. */
export class DeathBed {
  readonly dir: string;
  readonly root: string;
  readonly runDir: string;
  readonly cgroupParent: string;
  readonly #engine: EngineOptions;
  readonly #hosts = new Set<Host>();
  readonly #before: Snapshot;

  constructor(options: BedOptions = {}) {
    const outer = mkdtempSync(join(tmpdir(), 'caisson-d-'));
    this.dir = outer;
    this.root = join(outer, options.name ?? '', 'root');
    this.runDir = join(outer, options.name ?? '', 'run');
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    mkdirSync(this.runDir, { recursive: true, mode: 0o700 });
    this.cgroupParent = `/caisson-test-${outer.slice(-6)}`;
    this.#engine = options.engine ?? {};
    this.#before = scopedSnapshot(outer);
  }

  get options(): EngineOptions {
    return { root: this.root, runDir: this.runDir, cgroupParent: this.cgroupParent, ...this.#engine };
  }

  get rootfs(): string {
    return join(this.dir, 'rootfs');
  }

  async importImage(): Promise<void> {
    makeBusyboxRootfs(this.rootfs);
    await using engine = await Engine.open(this.options);
    await engine.images.import(this.rootfs, { reference: 'box' });
  }

  open(): Promise<Engine> {
    return Engine.open(this.options);
  }

  /** Starts a host; with `killAt` it kills itself before its n-th change of the machine. */
  startHost(order: Omit<HostOrder, 'options'>, killAt?: number): Host {
    const child = fork(HOST, [], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execArgv: killAt === undefined ? [] : ['--import', `${FAILPOINTS}?at=${killAt}`],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4000);
    });
    const messages: unknown[] = [];
    const waiting: ((value: unknown) => void)[] = [];
    child.on('message', (value) => {
      const next = waiting.shift();
      if (next === undefined) messages.push(value);
      else next(value);
    });
    const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal, stderr }));
    const host: Host = {
      child,
      ended,
      message: () => {
        if (messages.length > 0) return Promise.resolve(messages.shift());
        const early = ended.then(({ code, signal }) => {
          throw new Error(`the host ended with ${code ?? signal} and said nothing:\n${stderr}`);
        });
        return Promise.race([new Promise((resolve) => waiting.push(resolve)), early]);
      },
      kill: () => void child.kill('SIGKILL'),
    };
    this.#hosts.add(host);
    void ended.then(() => this.#hosts.delete(host));
    child.send({ ...order, options: this.options } satisfies HostOrder);
    return host;
  }

  /** What there is of throwaway containers and exec sessions, whoever holds them. Durable ones are not counted. */
  ephemeralLeft(durableIds: readonly string[] = []): string[] {
    const isDurable = (text: string): boolean => durableIds.some((id) => text.includes(id));
    const found: string[] = [];
    for (const dir of this.cgroups()) if (!isDurable(dir)) found.push(`cgroup ${dir}`);
    for (const pid of pids()) {
      const cgroup = read(`/proc/${pid}/cgroup`);
      // A zombie is gone, but for whoever should have waited for it: pid 1 in its own time.
      if (/\) [ZX] /.test(read(`/proc/${pid}/stat`))) continue;
      if (cgroup.includes(`${this.cgroupParent}/`) && !isDurable(cgroup)) found.push(`process ${pid}: ${command(pid)}`);
    }
    for (const line of read('/proc/self/mountinfo').split('\n')) {
      if (line.includes(this.dir) && !isDurable(line)) found.push(`mount ${line.split(' ')[4]}`);
    }
    found.push(...this.#sessionFiles());
    for (const runtime of list(join(this.runDir, 'runtime'))) {
      for (const id of list(join(this.runDir, 'runtime', runtime)))
        if (!isDurable(id)) found.push(`runtime state ${id}`);
    }
    return found;
  }

  #sessionFiles(): string[] {
    return list(join(this.runDir, 'sessions')).flatMap((session) =>
      ['c', 'x'].flatMap((part) =>
        list(join(this.runDir, 'sessions', session, part)).map((name) => `session file ${part}/${name}`),
      ),
    );
  }

  /** Waits until nothing throwaway is left; gives the time it took, or what is left after the limit. */
  async goneWithin(limitMs: number, durableIds: readonly string[] = []): Promise<{ ms: number; left: string[] }> {
    const startedAt = performance.now();
    for (;;) {
      // The sweep's last act is looked for first: to look at all of the machine takes the time that is measured.
      const listed = this.#sessionFiles();
      const left = listed.length > 0 ? listed : this.ephemeralLeft(durableIds);
      const ms = performance.now() - startedAt;
      if (left.length === 0) return { ms, left };
      if (ms > limitMs) return { ms, left: this.ephemeralLeft(durableIds) };
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Cgroups below our parent, in every hierarchy. */
  cgroups(): string[] {
    return hierarchies().flatMap((mount) => subdirs(mount + this.cgroupParent));
  }

  /** Processes, mounts and sockets of the bed that were not there at first. */
  async leaks(limitMs = 1_500): Promise<string[]> {
    const endsAt = Date.now() + limitMs;
    for (;;) {
      const found = [...diffSnapshots(this.#before, scopedSnapshot(this.dir)), ...this.cgroups()];
      if (found.length === 0 || Date.now() > endsAt) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Every file and directory of root and run dir that is state of a container: what must be gone with the containers. */
  containerFiles(): string[] {
    const v1 = join(this.root, 'v1');
    const found: string[] = [];
    for (const kind of ['containers', 'intents', 'names', 'locks']) {
      for (const name of list(join(v1, kind))) found.push(`${kind}/${name}`);
    }
    for (const part of ['active', 'staging', 'trash', 'removing']) {
      for (const name of list(join(v1, 'snapshots', part))) found.push(`snapshots/${part}/${name}`);
    }
    for (const snapshotter of list(join(v1, 'snapshots'))) {
      for (const part of ['active', 'staging', 'trash', 'removing']) {
        for (const name of list(join(v1, 'snapshots', snapshotter, part))) {
          found.push(`snapshots/${snapshotter}/${part}/${name}`);
        }
      }
    }
    for (const kind of ['sessions', 'containers']) {
      for (const name of list(join(this.runDir, kind))) found.push(`run/${kind}/${name}`);
    }
    for (const runtime of list(join(this.runDir, 'runtime'))) {
      for (const id of list(join(this.runDir, 'runtime', runtime))) found.push(`run/runtime/${runtime}/${id}`);
    }
    return found;
  }

  /** What there is on disk of volumes and their use, of throwaway containers' too. */
  volumeFiles(): string[] {
    const found: string[] = [];
    for (const part of ['records', 'local', 'throwaway']) {
      const dir = join(this.root, 'v1/volumes', part);
      for (const name of list(dir)) {
        const below = name.startsWith('.') ? list(join(dir, name)) : [''];
        found.push(...below.map((entry) => `volumes/${part}/${name}/${entry}`));
      }
    }
    return found;
  }

  /** Ends what is left and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) {
      host.kill();
      await host.ended;
    }
    await this.goneWithin(3_000);
    for (const dir of this.cgroups().reverse()) {
      for (const pid of read(`${dir}/cgroup.procs`).split('\n').filter(Boolean))
        tryTo(() => process.kill(Number(pid), 'SIGKILL'));
      tryTo(() => rmdirSync(dir));
    }
    for (const mount of hierarchies()) tryTo(() => rmdirSync(mount + this.cgroupParent));
    // A tree with live mounts in it is left for the person who looks into the failure.
    if (!read('/proc/self/mountinfo').includes(this.dir)) rmSync(this.dir, { recursive: true, force: true });
  }
}

function subdirs(dir: string): string[] {
  const own = tryTo(() => readdirSync(dir, { withFileTypes: true })) ?? [];
  return own
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [`${dir}/${entry.name}`, ...subdirs(`${dir}/${entry.name}`)]);
}

export function hierarchies(): string[] {
  return read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path = '']) => path);
}

export function pids(): number[] {
  return list('/proc').map(Number).filter(Number.isInteger);
}

export function command(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

export function exists(path: string): boolean {
  return existsSync(path);
}

function list(path: string): string[] {
  return tryTo(() => readdirSync(path)) ?? [];
}

export function read(path: string): string {
  return tryTo(() => readFileSync(path, 'utf8')) ?? '';
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
