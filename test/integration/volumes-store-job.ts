// The steps whose every instruction is interrupted, and what must be true after each: `volumes-store-job <root> <run>`
// takes them and prints the number of each that is acknowledged.
import { writeSync } from 'node:fs';
import { identifyProcess, type ProcessIdentity } from '#src/os/process-identity.js';
import { VolumeStore } from '#src/volumes/store/index.js';

/** Names and labels of the volumes, and the durable holds as `volume holder`. */
export interface Model {
  readonly volumes: ReadonlyMap<string, string>;
  readonly holds: ReadonlySet<string>;
}

interface Step {
  readonly work: (store: VolumeStore) => Promise<unknown>;
  readonly effect?: (volumes: Map<string, string>, holds: Set<string>) => void;
}

const TMPFS = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k' };
let anonymous = '';

const create = (name: string, label: string, options = {}): Step => ({
  work: (store) => store.create({ name, labels: { label }, options }),
  effect: (volumes) => volumes.set(name, label),
});
const mount = (name: string, id: string): Step => ({
  work: (store) => store.mount(name, { holder: { id } }),
  effect: (_, holds) => holds.add(`${name} ${id}`),
});
const release = (name: string, id: string): Step => ({
  work: (store) => store.release(name, id),
  effect: (_, holds) => holds.delete(`${name} ${id}`),
});
const remove = (name: string): Step => ({
  work: (store) => store.remove(name),
  effect: (volumes) => volumes.delete(name),
});

const STEPS: readonly Step[] = [
  create('plain', 'one'),
  create('temp', 'two', TMPFS),
  mount('plain', 'h1'),
  mount('temp', 'h2'),
  {
    // What belongs to a process goes with it.
    work: async (store) => {
      const holder = { id: 'own', owner: identifyProcess(process.pid) as ProcessIdentity };
      anonymous = (await store.create({ holder })).name;
      await store.mount(anonymous, { holder });
      await store.mount('temp', { holder });
    },
  },
  {
    work: (store) => store.hold('plain', { id: 'h3', kind: 'container' }),
    effect: (_, holds) => holds.add('plain h3'),
  },
  { work: (store) => store.unmount('temp', 'h2') },
  {
    work: async (store) => {
      await store.release('temp', 'own');
      await store.release(anonymous, 'own');
    },
  },
  release('temp', 'h2'),
  remove('temp'),
  create('temp', 'three'),
  release('plain', 'h1'),
  { work: (store) => store.prune() },
  create('last', 'four'),
  {
    work: (store) => store.prune({ all: true }),
    effect: (volumes) => {
      for (const name of ['temp', 'last']) volumes.delete(name);
    },
  },
];

/** What is true after so many steps. */
export function modelAfter(steps: number): Model {
  const volumes = new Map<string, string>();
  const holds = new Set<string>();
  for (const { effect } of STEPS.slice(0, steps)) effect?.(volumes, holds);
  return { volumes, holds };
}

export const STEP_COUNT = STEPS.length;

const [, program = '', root = '', runDir = ''] = process.argv;
if (program === import.meta.filename) {
  const store = await VolumeStore.open({ root, runDir });
  await store.recovered();
  for (const [index, { work }] of STEPS.entries()) {
    await work(store);
    writeSync(1, `${index + 1}\n`);
  }
  await store.close();
}
