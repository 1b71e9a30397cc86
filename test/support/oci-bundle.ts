import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { findExecutable } from '#src/os/find-executable.js';

const APPLETS = ['sh', 'cat', 'echo', 'sleep', 'ls', 'true', 'seq', 'mkdir', 'dd', 'yes', 'head', 'tr', 'wc', 'printf'];

/** Makes a root file system of one static busybox. */
export function makeBusyboxRootfs(dir: string): void {
  const busybox = findExecutable('busybox');
  if (busybox === undefined) throw new Error('this test needs a static busybox');
  for (const name of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc']) mkdirSync(`${dir}/${name}`, { recursive: true });
  cpSync(busybox, `${dir}/bin/busybox`);
  for (const name of APPLETS) if (!existsSync(`${dir}/bin/${name}`)) symlinkSync('busybox', `${dir}/bin/${name}`);
}

export interface TestSpecOptions {
  readonly args: readonly string[];
  readonly rootfs: string;
  readonly cgroupsPath: string;
  readonly terminal?: boolean;
  readonly cwd?: string;
  readonly seccomp?: unknown;
  readonly annotations?: Record<string, string>;
  readonly oomScoreAdj?: number;
  readonly memoryLimit?: number;
}

/** A small config.json that any OCI runtime takes. */
export function writeTestSpec(bundle: string, options: TestSpecOptions): void {
  mkdirSync(bundle, { recursive: true });
  const spec = {
    ociVersion: '1.0.2',
    process: {
      ...(options.terminal ? { terminal: true } : {}),
      user: { uid: 0, gid: 0 },
      args: options.args,
      env: ['PATH=/bin'],
      cwd: options.cwd ?? '/',
      noNewPrivileges: true,
      ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
    },
    root: { path: options.rootfs, readonly: false },
    hostname: 'test',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    ],
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    linux: {
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      cgroupsPath: options.cgroupsPath,
      ...(options.seccomp === undefined ? {} : { seccomp: options.seccomp }),
      ...(options.memoryLimit === undefined ? {} : { resources: { memory: { limit: options.memoryLimit } } }),
    },
  };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(spec));
}
