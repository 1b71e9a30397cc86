// One of several processes that make, hold, mount and remove the same volumes at random, until it is killed:
// `volumes-worker <dir> <name>`. Each line of its log is one write, so that what was acknowledged before a SIGKILL is
// in the log: `<time> try|ok|no <operation> <volume> <holder> <label or reason> <number of the call>`.
import { closeSync, existsSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '#src/errors/index.js';
import { identifyProcess, type ProcessIdentity } from '#src/os/process-identity.js';
import { VolumeStore } from '#src/volumes/store/index.js';

const [dir = '', name = ''] = process.argv.slice(2);
const log = openSync(join(dir, `log.${name}`), 'a');
const self = identifyProcess(process.pid) as ProcessIdentity;
const EXPECTED = new Set(['VOLUME_IN_USE', 'VOLUME_NOT_FOUND', 'VOLUME_CONFLICT', 'VOLUME_EXISTS']);
const VOLUMES = ['plain0', 'plain1', 'plain2', 'tmpfs0', 'tmpfs1'];
let count = 0;

function write(word: string, operation: string, volume: string, holder: string, text = '-', call = 0): void {
  writeSync(log, `${process.hrtime.bigint()} ${word} ${operation} ${volume} ${holder} ${text} ${name}:${call}\n`);
}

let calls = 0;

async function act<T>(operation: string, volume: string, holder: string, work: () => Promise<T>, label?: string) {
  const call = calls++;
  write('try', operation, volume, holder, label, call);
  try {
    const result = await work();
    write('ok', operation, volume, holder, label, call);
    return result;
  } catch (error) {
    const reason = EngineError.is(error) ? error.reason : String(error);
    const text = JSON.stringify(String(error)).replaceAll(' ', '_');
    write(EXPECTED.has(reason) ? 'no' : 'bad', operation, volume, holder, text, call);
    return undefined;
  }
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}

const store = await VolumeStore.open({ root: join(dir, 'root'), runDir: join(dir, 'run') });

async function round(volume: string): Promise<void> {
  const number = count++;
  const holder = `${name}-${number}`;
  const options = volume.startsWith('tmpfs') ? { type: 'tmpfs', device: 'tmpfs', o: 'size=4m' } : {};
  const roll = Math.random();
  if (roll < 0.2) {
    const label = `${name}.${number}`;
    await act(
      'create',
      volume,
      '-',
      () => store.create({ name: volume, options, labels: { label }, ifExists: 'error' }),
      label,
    );
  } else if (roll < 0.4) {
    await act('remove', volume, '-', () => store.remove(volume));
  } else if (roll < 0.43) {
    const prune = () => store.prune({ all: true, withOptions: true, filter: (found) => found.name === volume });
    // Those that could not be removed are no failure of the call.
    await act('prune', volume, '-', async () => {
      const { failed } = await prune();
      if (failed[0] !== undefined) throw failed[0].error;
    });
  } else if (roll < 0.53) {
    // The same holder in all processes.
    await act('mount-shared', volume, 'shared', () => store.mount(volume, { holder: { id: 'shared' } }));
    await act(pick(['unmount', 'release']), volume, 'shared', () => store.release(volume, 'shared'));
  } else if (roll < 0.7) {
    await use(volume, holder, {});
  } else if (roll < 0.74) {
    // Its process may end, the hold must not: until anybody releases it.
    await act('hold', volume, `k${holder}`, async () => {
      const { mountpoint } = await store.mount(volume, { holder: { id: `k${holder}` } });
      writeFileSync(join(mountpoint, `k${holder}`), '');
    });
  } else if (roll < 0.79) {
    const kept = store.whoUses(volume).filter(({ id }) => id.startsWith('k'));
    for (const { id } of kept) await act('release', volume, id, () => store.release(volume, id));
  } else if (roll < 0.94) {
    await use(volume, `e${holder}`, { owner: self });
  } else {
    const { volumes, warnings } = await store.list();
    for (const { kind, message } of warnings) write('bad', 'list', kind, '-', message.replaceAll(' ', '_'));
    if (volumes.some(({ name }) => !VOLUMES.includes(name))) write('bad', 'list', 'strange', '-');
  }
}

/** Mounts, writes, looks again after a while: what is held stays. */
async function use(volume: string, holder: string, owner: { readonly owner?: ProcessIdentity }): Promise<void> {
  const mount = await act('hold', volume, holder, () => store.mount(volume, { holder: { id: holder, ...owner } }));
  if (mount === undefined) return;
  const file = join(mount.mountpoint, holder);
  try {
    writeFileSync(file, '');
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
    if (!existsSync(file)) write('bad', 'content', volume, holder, 'lost');
    rmSync(file, { force: true });
  } catch (error) {
    write('bad', 'content', volume, holder, JSON.stringify(String(error)).replaceAll(' ', '_'));
  }
  await act('release', volume, holder, () => store.release(volume, holder));
}

const endsAt = Date.now() + 120_000;
while (Date.now() < endsAt && existsSync(join(dir, 'go'))) {
  await Promise.all([round(pick(VOLUMES)), round(pick(VOLUMES))]);
}
await store.close();
closeSync(log);
