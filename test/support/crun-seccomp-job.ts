/** Runs two containers under crun, the second with the filter learned from the first; prints what each saw of its filter. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readCgroupLayout, removeCgroup } from '#src/os/cgroups.js';
import { spawnChild } from '#src/os/spawn.js';
import { createCliRuntime, SeccompFilterStore, sealRuntime } from '#src/runtime/index.js';
import { makeBusyboxRootfs, writeTestSpec } from './oci-bundle.js';
import { realRuntime } from './supervisor-bed.js';

const root = mkdtempSync(`${tmpdir()}/crun-seccomp-`);
const cgroupsPath = `/crun-seccomp-${process.pid}`;
try {
  mkdirSync(`${root}/crun`);
  makeBusyboxRootfs(`${root}/rootfs`);
  const plain = realRuntime(`${root}/crun`, 'crun');
  using sealed = sealRuntime(plain.binary);
  const path = sealed?.path();
  if (sealed === undefined || path === undefined) throw new Error('crun was not sealed');
  const fromMemory = createCliRuntime({
    binary: plain.binary,
    root: plain.root,
    spawner: { spawn: spawnChild },
    sealedPath: sealed.path,
  });
  const store = new SeccompFilterStore(`${root}/cache`);
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
  };
  const key = store.keyOf(plain.binary, JSON.stringify(seccomp));

  const run = async (id: string, filter: object, runtime = plain): Promise<string> => {
    const args = ['sh', '-c', 'cat /proc/self/status; mkdir /tmp/x; read end'];
    writeTestSpec(`${root}/${id}`, { args, rootfs: `${root}/rootfs`, cgroupsPath: `${cgroupsPath}/${id}`, ...filter });
    const logFile = `${root}/${id}.log`;
    const child = runtime.run({ id, bundle: `${root}/${id}`, logFile, stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk;
    });
    for await (const chunk of child.stderr ?? []) {
      out += chunk;
      // mkdir has failed: the container lives and waits for its end of input.
      if (String(chunk).includes('mkdir')) {
        if (id === 'cold') store.store(key, readFileSync(`${runtime.root}/${id}/seccomp.bpf`));
        child.stdin?.end();
      }
    }
    await child.exit;
    await runtime.delete(id);
    return out;
  };

  const cold = await run('cold', { seccomp });
  const learned = new SeccompFilterStore(`${root}/cache`).find(key);
  const warm = await run('warm', { annotations: { 'run.oci.seccomp_bpf_data': learned ?? 'none' } }, fromMemory);
  const other = store.keyOf({ ...plain.binary, version: '0' }, JSON.stringify(seccomp));
  let written = 'yes';
  try {
    writeFileSync(path, 'x');
  } catch (error) {
    written = String(error);
  }
  console.log(JSON.stringify({ written, cold, warm, unknown: String(store.find(other)) }));
} finally {
  removeCgroup(readCgroupLayout(), cgroupsPath);
  rmSync(root, { recursive: true, force: true });
}
