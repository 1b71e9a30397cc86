import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { arch, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type ContainerOptions,
  checkRootfs,
  collectMounts,
  generateSpec,
  type HostFacts,
  type OciSpec,
  openRootfsReader,
  parseCapabilityMask,
  prepareRootfs,
  resolveBindSources,
  resolveDevices,
  resolveUser,
  type SpecInput,
  stringifySpec,
  validateContainerOptions,
} from '#src/spec/index.js';

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find(existsSync);
export const CRUN: string | undefined = ['/usr/bin/crun', '/usr/local/bin/crun'].find(existsSync);
const RUNC = ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc', '/usr/local/bin/runc'].find(existsSync);

/** Why no container can be run here; `undefined` when one can. */
export function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (BUSYBOX === undefined) return 'needs busybox';
  return RUNC === undefined ? 'needs runc' : undefined;
}

export function hostFacts(): HostFacts {
  const capabilityMask = parseCapabilityMask(readFileSync('/proc/self/status', 'utf8'));
  return {
    ...(capabilityMask === undefined ? {} : { capabilityMask }),
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1,
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
    seccomp: true,
    architecture: arch(),
    kernelVersion: release(),
    swapLimit: existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
  };
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** A root file system of busybox (and perl, for raw system calls) and a place to run generated specs on it with runc. */
export class TestBundle {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-spec-')));
  readonly rootfs = join(this.dir, 'rootfs');
  readonly #running = new Set<string>();

  constructor() {
    for (const name of ['bin', 'etc', 'tmp', 'dev', 'proc', 'sys', 'root', 'home']) {
      mkdirSync(join(this.rootfs, name), { recursive: true });
    }
    copyFileSync(BUSYBOX ?? '', join(this.rootfs, 'bin/busybox'));
    const applets = 'sh cat id ls echo true hostname env pwd mount touch ulimit df stat sleep grep tr head mkdir';
    for (const name of applets.split(' ')) symlinkSync('busybox', join(this.rootfs, 'bin', name));
    writeFileSync(join(this.rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home:/bin/sh\n');
    writeFileSync(join(this.rootfs, 'etc/group'), 'root:x:0:\ndev:x:1000:\nwheel:x:50:root,dev\naudio:x:29:dev\n');
  }

  /** Copies perl with its libraries in; false where the host has none. */
  addPerl(): boolean {
    if (!existsSync('/usr/bin/perl')) return false;
    const listing = execFileSync('ldd', ['/usr/bin/perl'], { encoding: 'utf8' });
    for (const path of ['/usr/bin/perl', ...(listing.match(/\/[^\s():]+/g) ?? [])]) {
      mkdirSync(join(this.rootfs, dirname(path)), { recursive: true });
      copyFileSync(path, join(this.rootfs, path));
    }
    return true;
  }

  /** Everything the engine does before it starts a runtime. */
  spec(options: Partial<ContainerOptions>, more: Partial<SpecInput> = {}): { id: string; spec: OciSpec } {
    const id = randomBytes(32).toString('hex');
    const checked = validateContainerOptions({ rootfs: this.rootfs, command: ['true'], ...options });
    const { mounts, mountpoints } = resolveBindSources(collectMounts(checked));
    const user = resolveUser(openRootfsReader(this.rootfs), checked.user ?? '', checked.groups);
    const spec = generateSpec({
      id,
      options: checked,
      image: undefined,
      user,
      rootfsPath: this.rootfs,
      cgroupsPath: `/caisson-spec-${id.slice(0, 12)}`,
      hostFacts: hostFacts(),
      mounts,
      devices: resolveDevices(checked.devices),
      ...more,
    });
    checkRootfs(this.rootfs);
    prepareRootfs(this.rootfs, { workingDir: spec.process.cwd, mountpoints });
    return { id, spec };
  }

  /** Runs a shell script in a container and waits for its end. */
  run(script: string, options: Partial<ContainerOptions> = {}, more: Partial<SpecInput> = {}): Ran {
    const { id, spec } = this.spec({ command: ['sh', '-c', script], ...options }, more);
    return this.#runc(['run', '--bundle', this.#bundle(id, spec), id]);
  }

  /** The same with crun, which runs on hybrid cgroups only where the v2 mount is out of sight. */
  runWithCrun(script: string, options: Partial<ContainerOptions> = {}): Ran {
    const { id, spec } = this.spec({ command: ['sh', '-c', script], ...options });
    const hide = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';
    const argv = ['-m', 'sh', '-c', hide, 'sh', CRUN ?? '', '--root', join(this.dir, 'crun'), 'run', '--bundle'];
    const { stdout, stderr, status } = spawnSync('unshare', [...argv, this.#bundle(id, spec), id], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 15_000,
    });
    return { stdout, stderr, status };
  }

  /** Starts a container that sleeps; `close` ends it. */
  start(options: Partial<ContainerOptions> = {}): { id: string; spec: OciSpec } {
    const made = this.spec({ command: ['sleep', '60'], ...options });
    this.#running.add(made.id);
    const log = join(this.dir, `${made.id}.log`);
    const argv = ['--root', join(this.dir, 'state'), '--log', log, 'run', '--detach'];
    const bundle = this.#bundle(made.id, made.spec);
    const { status } = spawnSync(RUNC ?? '', [...argv, '--bundle', bundle, made.id], { stdio: 'ignore' });
    if (status !== 0) throw new Error(readFileSync(log, 'utf8'));
    return made;
  }

  exec(id: string, process: string): Ran {
    const file = join(this.dir, `${randomBytes(6).toString('hex')}.json`);
    writeFileSync(file, process);
    return this.#runc(['exec', '--process', file, id]);
  }

  close(): void {
    for (const id of this.#running) this.#runc(['delete', '--force', id]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #bundle(id: string, spec: OciSpec): string {
    const bundle = join(this.dir, `bundle-${id.slice(0, 12)}`);
    mkdirSync(bundle, { recursive: true });
    writeFileSync(join(bundle, 'config.json'), stringifySpec(spec));
    return bundle;
  }

  #runc(argv: readonly string[]): Ran {
    const { stdout, stderr, status } = spawnSync(RUNC ?? '', ['--root', join(this.dir, 'state'), ...argv], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 15_000,
    });
    return { stdout, stderr, status };
  }
}
