import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { FILTER_ANNOTATION } from '../containers/bundle/seccomp-filters.js';
import { containerCgroup } from '../containers/cgroup-path.js';
import type { ContainerDeps } from '../containers/deps.js';
import type { OciRuntime } from '../runtime/index.js';
import type { OciMount } from '../spec/index.js';
import { newId } from '../util/ids.js';

/**
 * Runs the host's own cat in a container without network, on read-only binds of the host's program directories, under
 * the filter alone, and reads from its own status whether the kernel has one filter in force.
 */
export async function verifyFilter(
  deps: Pick<ContainerDeps, 'session' | 'config'>,
  runtime: OciRuntime,
  filter: string,
): Promise<boolean> {
  const id = newId();
  const dir = deps.session.makeContainerDir(id, []);
  try {
    const mounts = makeProbeRoot(`${dir}/rootfs`);
    const spec = probeSpec(`${dir}/rootfs`, mounts, containerCgroup(deps.config.cgroupParent, id), filter);
    writeFileSync(`${dir}/config.json`, JSON.stringify(spec), { mode: 0o600 });
    const child = runtime.run({
      id,
      bundle: dir,
      logFile: `${dir}/log.json`,
      stdin: 'null',
      stdout: 'pipe',
      stderr: 'null',
      processGroup: deps.session.processGroup(),
    });
    let status = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      if (status.length < 65_536) status += chunk.toString('latin1');
    });
    const closed = new Promise((resolve) => child.stdout?.on('close', resolve));
    const exit = await child.exit;
    await closed;
    return exit.code === 0 && /^Seccomp:\s*2$/m.test(status) && /^Seccomp_filters:\s*1$/m.test(status);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Directories of the host that cat and its libraries are in; bound inside the probe's own mount namespace only. */
function makeProbeRoot(rootfs: string): OciMount[] {
  const mounts: OciMount[] = [];
  for (const path of ['/proc', '/dev', '/sys']) mkdirSync(rootfs + path, { recursive: true, mode: 0o755 });
  for (const path of ['/usr', '/bin', '/lib', '/lib64']) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) symlinkSync(readlinkSync(path), rootfs + path);
    if (!stat?.isDirectory()) continue;
    mkdirSync(rootfs + path, { mode: 0o755 });
    mounts.push({ destination: path, type: 'bind', source: path, options: ['bind', 'ro', 'nosuid', 'nodev'] });
  }
  return mounts;
}

function probeSpec(rootfs: string, mounts: readonly OciMount[], cgroupsPath: string, filter: string): object {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/cat', '/proc/self/status'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    },
    root: { path: rootfs, readonly: true },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts],
    annotations: { [FILTER_ANNOTATION]: filter },
    linux: {
      cgroupsPath,
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    },
  };
}
