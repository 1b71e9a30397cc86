import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { readLog } from '#src/logs/index.js';
import { findExecutable } from '#src/os/find-executable.js';
import { isAlive } from '#src/os/process-identity.js';
import { spawnChild } from '#src/os/spawn.js';
import {
  chooseSupervisor,
  createCliRuntime,
  type OciRuntime,
  type SupervisedTask,
  type SuperviseRequest,
  type Supervisor,
} from '#src/runtime/index.js';
import { makeBusyboxRootfs, type TestSpecOptions, writeTestSpec } from './oci-bundle.js';

export type SupervisorName = 'conmon' | 'shim';

/** A supervisor with the programs of this machine. */
export function realSupervisor(name: SupervisorName): Supervisor {
  return chooseSupervisor(name, {
    conmonPath: findExecutable('conmon'),
    shimPath: findExecutable('containerd-shim-runc-v2'),
    perlPath: findExecutable('perl'),
    spawner: { spawn: spawnChild },
  });
}

export function realRuntime(root: string, name = 'runc'): OciRuntime {
  const path = realpathSync(findExecutable(name) ?? name);
  const flavor = name === 'crun' ? 'crun' : 'runc';
  const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).split(/\s+/)[2] ?? '0';
  return createCliRuntime({ binary: { name, flavor, path, version }, root, spawner: { spawn: spawnChild } });
}

/** One temporary root with a busybox file system, and containers in it. */
export class SupervisorBed {
  readonly root: string;
  readonly runtime: OciRuntime;
  readonly supervisor: Supervisor;
  readonly name: SupervisorName;
  readonly cgroup: string;
  #next = 0;

  constructor(name: SupervisorName, options: { prefix?: string; runtime?: string } = {}) {
    this.name = name;
    this.root = mkdtempSync(`${tmpdir()}/${options.prefix ?? 'supervisor-'}`);
    this.cgroup = `/caisson-test-${process.pid}-${this.root.slice(-6)}`;
    this.runtime = realRuntime(`${this.root}/runtime`, options.runtime);
    this.supervisor = realSupervisor(name);
    makeBusyboxRootfs(`${this.root}/rootfs`);
  }

  /** Makes the directories and config.json of a new container. */
  request(
    args: readonly string[],
    spec: Partial<TestSpecOptions> & { stdin?: boolean; id?: string } = {},
  ): SuperviseRequest {
    const id = spec.id ?? `c${this.#next++}`;
    const dir = `${this.root}/${id}`;
    for (const name of ['run', 'exit']) mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
    writeTestSpec(`${dir}/bundle`, {
      ...spec,
      args,
      rootfs: `${this.root}/rootfs`,
      cgroupsPath: `${this.cgroup}/${id}`,
    });
    return {
      id,
      name: id,
      bundle: `${dir}/bundle`,
      runDir: `${dir}/run`,
      logFile: `${dir}/ctr.log`,
      exitDir: `${dir}/exit`,
      runtime: this.runtime,
      terminal: spec.terminal ?? false,
      stdin: spec.stdin ?? false,
    };
  }

  async launch(request: SuperviseRequest): Promise<SupervisedTask> {
    const task = await this.supervisor.create(request);
    await this.supervisor.start(task, this.runtime);
    return task;
  }

  async output(request: SuperviseRequest): Promise<{ stdout: string; stderr: string }> {
    const text = { stdout: '', stderr: '' };
    for await (const { stream, data, partial } of readLog({ path: request.logFile })) {
      text[stream] += data.toString('utf8') + (partial ? '' : '\n');
    }
    return text;
  }

  /** What is left on the machine that carries our names; empty when all is clean. */
  leaks(): string[] {
    const found: string[] = [];
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/cgroup`, 'utf8');
        const zombie = readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
        if (!zombie && (words.includes(this.root) || words.includes(this.cgroup)))
          found.push(`process ${pid}: ${words}`);
      } catch {
        // Gone meanwhile.
      }
    }
    const hierarchies = existsSync('/sys/fs/cgroup/cgroup.controllers') ? [''] : readdirSync('/sys/fs/cgroup');
    for (const name of hierarchies) {
      const dir = `/sys/fs/cgroup/${name}${this.cgroup}`;
      const left = existsSync(dir)
        ? readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
        : [];
      found.push(...left.map((entry) => `cgroup ${dir}/${entry.name}`));
    }
    for (const mount of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      if (mount.includes(this.root)) found.push(`mount ${mount}`);
    }
    for (const id of readdirSync(this.root)) {
      if (!existsSync(`${this.root}/${id}/bundle`)) continue;
      for (const part of ['run', 'exit', 'bundle']) {
        for (const name of readdirSync(`${this.root}/${id}/${part}`)) {
          if (name !== 'config.json') found.push(`file ${id}/${part}/${name}`);
        }
      }
    }
    if (existsSync(this.runtime.root)) found.push(...readdirSync(this.runtime.root).map((id) => `runtime state ${id}`));
    const before = new Set(this.#socketsBefore);
    found.push(
      ...shimSockets()
        .filter((name) => !before.has(name) && isOurs(name))
        .map((name) => `shim socket ${name}`),
    );
    return found;
  }

  readonly #socketsBefore = shimSockets();

  remove(): void {
    for (const name of existsSync('/sys/fs/cgroup/cgroup.controllers') ? [''] : readdirSync('/sys/fs/cgroup')) {
      const dir = `/sys/fs/cgroup/${name}${this.cgroup}`;
      if (existsSync(dir)) execFileSync('find', [dir, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Starts a host process that does `job` with the bed's supervisor; see supervisor-host.ts. */
export function startHost(
  bed: SupervisorBed,
  request: SuperviseRequest,
  job: 'create' | 'launch' | 'wait',
  task?: SupervisedTask,
) {
  const path = fileURLToPath(new URL('./supervisor-host.js', import.meta.url));
  const { runtime, ...plain } = request;
  const child = fork(path, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ready = once(child, 'message');
  child.send({ name: bed.name, runtimeRoot: runtime.root, runtime: runtime.binary.name, request: plain, job, task });
  return { child, ready };
}

export async function processesEnd(tasks: readonly SupervisedTask[], timeoutMs = 5_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (tasks.some((task) => isAlive(task.init)) && Date.now() < deadline) await new Promise((r) => setTimeout(r, 10));
}

function shimSockets(): string[] {
  try {
    return readdirSync('/run/containerd/s');
  } catch {
    return [];
  }
}

/** A socket that nobody listens on is a leak; another test's shim is alive. */
function isOurs(name: string): boolean {
  const listening = readFileSync('/proc/net/unix', 'utf8').includes(name);
  return !listening && statSync(`/run/containerd/s/${name}`, { throwIfNoEntry: false }) !== undefined;
}
