// One of several processes that fight for a lock: `lock-worker <mode> <dir> <method> <name> <rounds>`.
import { closeSync, existsSync, openSync, readFileSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '#src/errors/index.js';
import { identifyProcess } from '#src/os/process-identity.js';
import { FileLock, type FileLockOptions, NameIndex, RecordStore, withFileLock } from '#src/state/index.js';

const [mode, dir = '', method, name = '', rounds = '0'] = process.argv.slice(2);
const lockPath = join(dir, 'lock');
const options: FileLockOptions = method === 'auto' ? {} : { method: method as 'flock' | 'lockfile' };

type Counts = Record<string, number>;
const store = new RecordStore<Counts>({
  dir: join(dir, 'records'),
  kind: 'counter',
  schemaVersion: 1,
  parse: (value) => value as Counts,
  durable: mode === 'update' || mode === 'create',
});

/** Proof that nobody else is inside: a file that only one can make. One that a killed process left is no proof. */
function enter(): void {
  const path = join(dir, 'witness');
  try {
    const fd = openSync(path, 'wx');
    writeSync(fd, String(process.pid));
    closeSync(fd);
  } catch {
    const other = Number(readFileSync(path, 'utf8'));
    if (other === 0 || identifyProcess(other) !== undefined) {
      writeFileSync(join(dir, 'two-holders'), `${process.pid} and ${other}\n`, { flag: 'a' });
    }
    writeFileSync(path, String(process.pid));
  }
}

async function count(): Promise<void> {
  const ack = openSync(join(dir, `ack.${name}`), 'w');
  for (let i = 1; i <= Number(rounds); i++) {
    await withFileLock(
      lockPath,
      async () => {
        enter();
        const counts = store.read('counter');
        if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        store.write('counter', { ...counts, [name]: (counts[name] ?? 0) + 1 });
        unlinkSync(join(dir, 'witness'));
      },
      options,
    );
    writeSync(ack, String(i), 0);
  }
}

if (mode === 'count') await count();
else if (mode === 'hold') {
  const lock = await FileLock.acquire(lockPath, options);
  process.stdout.write('held\n');
  setInterval(() => lock.assertHeld(), 1000);
} else if (mode === 'claim') {
  const names = new NameIndex({ dir: join(dir, 'names') });
  writeFileSync(join(dir, `ready.${name}`), '');
  while (!existsSync(join(dir, 'go'))) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 1; i <= Number(rounds); i++) {
    try {
      names.claim(`n${i}`, `${name}-${i}`, (id) => !id.startsWith('dead'), { durable: false });
      writeSync(1, `n${i} ${name}-${i}\n`);
    } catch (error) {
      if (!EngineError.is(error, 'ALREADY_EXISTS', 'NAME_TAKEN')) throw error;
    }
  }
} else if (mode === 'update') {
  // For the kill sweep: says how far it came after every commit.
  for (let i = 1; i <= Number(rounds); i++) {
    store.write('counter', { n: i });
    writeSync(1, `${i}\n`);
  }
} else if (mode === 'create') {
  for (let i = 1; i <= Number(rounds); i++) {
    store.create(`id${i}`, { n: i });
    writeSync(1, `${i}\n`);
  }
}
