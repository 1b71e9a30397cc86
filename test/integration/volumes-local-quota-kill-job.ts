/**
 * Runs inside a machine whose kernel has project quotas: makes and removes a volume with a size in processes that are
 * killed, one at each step, and prints what stays. Arguments: directory on a file system with quotas, file to write,
 * and for the processes the word `victim`.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { libc } from '#src/os/syscalls/lib.js';
import { LocalVolumeDriver } from '#src/volumes/local/index.js';

const FAILPOINTS = pathToFileURL(join(import.meta.dirname, '../support/failpoints.js')).href;
const SYS_QUOTACTL_FD = 443;
const Q_XGETNEXTQUOTA = 0x5809;
const PRJQUOTA = 2;
const quotactlFd = libc<(n: number, fd: number, command: number, id: number, address: Uint8Array) => number>(
  'long syscall(long n, int fd, unsigned int command, unsigned int id, void *address)',
);

const [dir, answer, role] = process.argv.slice(2) as [string, string, string | undefined];
const paths = { dir: join(dir, 'volumes'), runDir: join(dir, 'run') };
const driver = await LocalVolumeDriver.open(paths);
await driver.swept;

/** Projects that have a limit, says the file system. */
function limited(): number[] {
  const fd = openSync(dir, 'r');
  const found: number[] = [];
  for (let id = 1; ; id++) {
    const quota = Buffer.alloc(112);
    if (quotactlFd(SYS_QUOTACTL_FD, fd, (Q_XGETNEXTQUOTA << 8) | PRJQUOTA, id, quota) !== 0) break;
    id = quota.readUInt32LE(4);
    if (quota.readBigUInt64LE(8) > 0n) found.push(id);
  }
  closeSync(fd);
  return found;
}

if (role === 'victim') {
  const calls = () => (globalThis as { failpointCalls?: number }).failpointCalls;
  const first = calls();
  await driver.create({ name: 'killed', options: { size: '2m' } });
  await driver.remove('killed');
  console.log(first, calls());
} else {
  const self = process.argv[1] as string;
  const run = (at: number) =>
    spawnSync(process.execPath, ['--import', `${FAILPOINTS}?at=${at}`, self, dir, answer, 'victim'], {
      encoding: 'utf8',
    });
  const [first, last] = run(0).stdout.split(' ').map(Number) as [number, number];
  let limitsBetween = 0;
  for (let at = first + 1; at <= last; at++) {
    run(at);
    if (limited().length > 0) limitsBetween++;
  }
  run(0);
  const seen = {
    steps: last - first,
    limitsBetween,
    limits: limited(),
    volumes: readdirSync(paths.dir).filter((name) => !name.startsWith('.')),
    staged: ['.staging', '.trash'].flatMap((part) => readdirSync(join(paths.dir, part))),
  };
  writeFileSync(answer, JSON.stringify(seen));
}
await driver.close();
