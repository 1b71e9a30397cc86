/**
 * Runs inside a machine whose kernel has project quotas: checks the limits of local volumes on one file system and
 * prints what it saw as JSON. Arguments: directory on that file system, file to write.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  errnoOf,
  limitProject,
  projectOf,
  projectSpace,
  type QuotaTarget,
  setProject,
} from '#src/os/syscalls/index.js';
import { LocalVolumeDriver } from '#src/volumes/local/index.js';
import { readOptions } from '#src/volumes/local/options-file.js';

const [dir, answer, mode] = process.argv.slice(2) as [string, string, string | undefined];
const device = /^(\S+) /.exec(
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.includes(` ${dir} `)) ?? '',
)?.[1];
const MiB = 2 ** 20;
chmodSync(dir, 0o755);
const paths = { dir: join(dir, 'volumes'), runDir: join(dir, 'run') };
const driver = await LocalVolumeDriver.open({ ...paths, parentMode: 0o711 });
const data = (name: string): string => join(paths.dir, name, '_data');
const projectId = (name: string): number => readOptions(join(paths.dir, name, 'opts.json'), name)?.projectId as number;

// ext4 lets a process with CAP_SYS_RESOURCE exceed all quotas; containers don't have it, nor has this user.
const USER = 65534;

/** Writes `mebibytes` to a new file; gives those that fitted and the error that ended it. */
function fill(path: string, mebibytes: number): { written: number; code: string } {
  const chunk = Buffer.alloc(MiB, 7);
  let fd: number | undefined;
  let written = 0;
  chmodSync(dirname(path), 0o777);
  // From inside: the directories on the way are closed to everybody else.
  process.chdir(dirname(path));
  process.seteuid?.(USER);
  try {
    fd = openSync(basename(path), 'w');
    for (; written < mebibytes; written++) {
      for (let at = 0; at < MiB; ) at += writeSync(fd, chunk, at);
    }
    return { written, code: 'none' };
  } catch (error) {
    return { written, code: errnoOf(error) ?? 'unknown' };
  } finally {
    if (fd !== undefined) closeSync(fd);
    process.chdir('/');
    process.seteuid?.(0);
  }
}

function withTarget<T>(work: (target: QuotaTarget & { fd: number }) => T): T {
  const fd = openSync(dir, 'r');
  try {
    return work({ fd });
  } finally {
    closeSync(fd);
  }
}

if (mode !== undefined) {
  for (let n = 0; n < 5; n++) await driver.create({ name: `${mode}-${n}`, options: { size: '1m' } });
} else {
  const seen: Record<string, unknown> = {};
  await driver.create({ name: 'small', options: { size: '6m' } });
  await driver.create({ name: 'other', options: { size: '20m' } });
  await driver.create({ name: 'free', options: {} });
  await driver.mount({ name: 'small', id: 'one' });
  mkdirSync(join(data('small'), 'sub'));
  seen['small'] = fill(join(data('small'), 'sub', 'file'), 12);
  seen['other'] = fill(join(data('other'), 'file'), 12);
  seen['free'] = fill(join(data('free'), 'file'), 12);
  const status = (await driver.get('small'))?.status as { sizeBytes: number; usedBytes: number };
  seen['status'] = { sizeBytes: status.sizeBytes, used: status.usedBytes > 4 * MiB && status.usedBytes <= 6 * MiB };
  const id = projectId('small');
  seen['device'] = withTarget(
    (target) => projectSpace({ device: device as string }, id)?.limitBytes === projectSpace(target, id)?.limitBytes,
  );
  withTarget((target) => limitProject(target, id, 0));
  seen['lifted'] = fill(join(data('small'), 'file'), 12).code;
  await driver.mount({ name: 'small', id: 'two' });
  seen['again'] = fill(join(data('small'), 'third'), 12).written;
  await driver.remove('small');
  seen['freed'] = withTarget((target) => projectSpace(target, id)?.limitBytes ?? 0);

  // Made by a process that died before the volume had its name.
  await driver.create({ name: 'dying', options: { size: '5m' } });
  const dead = projectId('dying');
  mkdirSync(join(paths.dir, '.staging'), { recursive: true });
  execFileSync('mv', [join(paths.dir, 'dying'), join(paths.dir, '.staging', '1.2.0000.abc')]);
  const later = await LocalVolumeDriver.open({ ...paths, parentMode: 0o711 });
  await later.swept;
  seen['swept'] = [
    withTarget((target) => projectSpace(target, dead)?.limitBytes ?? 0),
    readdirSync(join(paths.dir, '.staging')).length,
  ];

  const self = process.argv[1] as string;
  const run = (name: string) => [process.execPath, self, dir, answer, name].join(' ');
  execFileSync('sh', ['-c', `${run('p1')} & ${run('p2')} & wait`]);
  const names = readdirSync(paths.dir).filter((name) => /^p[12]-/.test(name));
  seen['volumes'] = names.length;
  seen['projects'] = new Set(names.map(projectId)).size;
  seen['inherits'] = names.every((name) => {
    const fd = openSync(data(name), 'r');
    const project = projectOf(fd);
    closeSync(fd);
    return project.inherited && project.id === projectId(name);
  });

  // Copied by a tool that knows no projects.
  await driver.create({ name: 'lost', options: { size: '6m' } });
  const sub = join(data('lost'), 'sub');
  mkdirSync(sub);
  const before = fill(join(sub, 'file'), 4);
  execFileSync('mkfifo', [join(sub, 'pipe')]);
  for (const path of [join(sub, 'file'), sub, data('lost')]) {
    const fd = openSync(path, 'r');
    setProject(fd, 0, { inherit: false });
    closeSync(fd);
  }
  const lost = projectId('lost');
  const used = () => withTarget((target) => (projectSpace(target, lost)?.usedBytes ?? 0) / MiB >= 4);
  seen['lost'] = [before.written, used()];
  await driver.mount({ name: 'lost', id: 'one' });
  seen['adopted'] = [used(), fill(join(sub, 'more'), 12).written <= 2, fill(join(data('lost'), 'more'), 12).written];
  writeFileSync(answer, JSON.stringify(seen));
}
await driver.close();
