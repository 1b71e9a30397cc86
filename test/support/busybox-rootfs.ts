import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary } from './require.js';

/** Directories an image of a small distribution has. */
const DIRECTORIES = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'usr/bin', 'var'];

/**
 * Makes a tiny root file system in `dir` (made if missing): static busybox with a link for each applet, /etc/passwd
 * and /etc/group. Returns `dir`. Throws when busybox is not installed: call `requireBinary(t, 'busybox')` first.
 */
export function makeBusyboxRootfs(dir: string): string {
  const busybox = findBinary('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed: apt-get install busybox-static');
  for (const name of DIRECTORIES) mkdirSync(join(dir, name), { recursive: true, mode: 0o755 });
  chmodSync(join(dir, 'tmp'), 0o1777);
  copyFileSync(busybox, join(dir, 'bin/busybox'));
  chmodSync(join(dir, 'bin/busybox'), 0o755);
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(dir, 'bin', applet));
  }
  writeFileSync(
    join(dir, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nalice:x:1000:1000::/home/alice:/bin/sh\n',
  );
  writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\nalice:x:1000:\nstaff:x:50:alice\n');
  return dir;
}
