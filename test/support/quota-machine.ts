import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findBinary, requireBinary } from './require.js';

const MODULES = '/usr/lib/uml/modules';

export interface QuotaRun {
  /** `ext4` or `xfs`. */
  readonly fsType: string;
  /** Temporary directory of the test. */
  readonly dir: string;
  /** Compiled job: called with the directory of the file system and the file to write. */
  readonly job: string;
}

/**
 * Runs a job on a new file system with project quotas: on this kernel where it has them, else in a user-mode Linux
 * that sees this host's files. Gives the path of the job's answer; skips where neither can be had.
 */
export async function runWithQuota(t: TestContext, { fsType, dir, job }: QuotaRun): Promise<string | undefined> {
  if (requireBinary(t, `mkfs.${fsType}`) === undefined || requireBinary(t, 'busybox') === undefined) return undefined;
  const image = join(dir, 'disk');
  const at = join(dir, 'mounted');
  const answer = join(dir, 'answer');
  mkdirSync(at);
  execFileSync('truncate', ['-s', fsType === 'xfs' ? '300M' : '128M', image]);
  const features = fsType === 'ext4' ? ['-O', 'quota,project', '-E', 'quotatype=prjquota'] : [];
  execFileSync(`mkfs.${fsType}`, ['-q', ...features, image]);
  if (mounts(image, at, fsType)) {
    try {
      execFileSync(process.execPath, [job, at, answer], { stdio: ['ignore', 'inherit', 'inherit'] });
    } finally {
      execFileSync('umount', [at]);
    }
    return answer;
  }
  const linux = findBinary('linux.uml');
  if (linux === undefined) {
    t.skip('missing: linux.uml');
    return undefined;
  }
  const script = join(dir, 'init.sh');
  writeFileSync(script, initScript({ fsType, at, job, answer, log: join(dir, 'log') }), { mode: 0o755 });
  const machine = spawn(
    linux,
    [
      'root=/dev/root',
      'rootfstype=hostfs',
      'rootflags=/',
      'rw',
      'mem=640M',
      `ubd0=${image}`,
      `init=${script}`,
      'con=null',
      'panic=-1',
      'quiet',
    ],
    { stdio: 'ignore', env: { ...process.env, TMPDIR: dir, HOME: dir }, timeout: 120_000, killSignal: 'SIGKILL' },
  );
  await once(machine, 'exit');
  return answer;
}

function mounts(image: string, at: string, fsType: string): boolean {
  try {
    execFileSync('mount', ['-t', fsType, '-o', 'loop,prjquota', image, at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function initScript(run: { fsType: string; at: string; job: string; answer: string; log: string }): string {
  const quota = existsSync(MODULES)
    ? readdirSync(MODULES).map((version) => `${MODULES}/${version}/kernel/fs/quota`)
    : [];
  return [
    '#!/bin/sh',
    `exec >${run.log} 2>&1 </dev/null`,
    'export PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'mount -t proc proc /proc',
    ...quota.flatMap((dir) => [`busybox insmod ${dir}/quota_tree.ko`, `busybox insmod ${dir}/quota_v2.ko`]),
    `mount -t ${run.fsType} -o prjquota /dev/ubda ${run.at} && ${process.execPath} ${run.job} ${run.at} ${run.answer}`,
    `umount ${run.at}`,
    'sync',
    // reboot(2), power off: a user-mode Linux that ends is a process that exits.
    `perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'`,
    '',
  ].join('\n');
}
