/** Runs two containers under crun, the second with the filter learned from the first; prints what each saw of its filter. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readCgroupLayout, removeCgroup } from '#src/os/cgroups.js';
import { createCrunSeccompCache, SECCOMP_BPF_ANNOTATION } from '#src/runtime/index.js';
import { makeBusyboxRootfs, writeTestSpec } from './oci-bundle.js';
import { realRuntime } from './supervisor-bed.js';

const root = mkdtempSync(`${tmpdir()}/crun-seccomp-`);
const cgroupsPath = `/crun-seccomp-${process.pid}`;
try {
  mkdirSync(`${root}/crun`);
  makeBusyboxRootfs(`${root}/rootfs`);
  const runtime = realRuntime(`${root}/crun`, 'crun');
  const cache = createCrunSeccompCache({ dir: `${root}/cache`, crunVersion: runtime.binary.version });
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
  };
  const json = JSON.stringify(seccomp);

  const run = async (id: string, filter: object): Promise<string> => {
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
        cache.learn(json, runtime.root, id);
        child.stdin?.end();
      }
    }
    await child.exit;
    await runtime.delete(id);
    return out;
  };

  const cold = await run('cold', { seccomp });
  const learned = createCrunSeccompCache({ dir: `${root}/cache`, crunVersion: runtime.binary.version }).find(json);
  const warm = await run('warm', { annotations: { [SECCOMP_BPF_ANNOTATION]: learned ?? 'none' } });
  const other = createCrunSeccompCache({ dir: `${root}/cache`, crunVersion: '0' });
  console.log(JSON.stringify({ cold, warm, unknown: String(other.find(json)) }));
} finally {
  removeCgroup(readCgroupLayout(), cgroupsPath);
  rmSync(root, { recursive: true, force: true });
}
