/** A host process that tests kill: does the job that its first message names. */
import { Engine, EngineError } from '#src/index.js';
import type { HostOrder } from './death-bed.js';

const report = (value: unknown): void => void process.send?.(value);
const forever = (): Promise<never> => new Promise(() => setInterval(() => {}, 60_000));
const sleeper = { image: 'box', command: ['sleep', '1000'] };

type Job = (engine: Engine, order: HostOrder) => Promise<unknown>;

const JOBS: Record<string, Job> = {
  /** Opens, says so, waits for death. */
  async idle() {
    report('ready');
    await forever();
  },

  /** Throwaway containers that run until the host dies. */
  async boxes(engine, { count = 1, extra }) {
    const boxes = [];
    // A few at a time: the test is about their end.
    for (let made = 0; made < count; made += 5) {
      const some = Array.from({ length: Math.min(5, count - made) }, () =>
        engine.containers.ephemeral({ ...sleeper, ...extra }),
      );
      boxes.push(...(await Promise.all(some)));
    }
    report(boxes.map(({ id, pid }) => ({ id, pid })));
    await forever();
  },

  /** Starts throwaway containers as fast as it can and never waits for one. */
  async storm(engine, { extra }) {
    report('ready');
    for (;;) {
      await Promise.all(Array.from({ length: 3 }, () => engine.run('box', ['true'], { ...extra })));
    }
  },

  /** An exec session in a durable container. */
  async exec(engine, { extra }) {
    const container = await engine.containers.get('durable');
    const session = await container.spawn(['sleep', '1000'], { ...extra });
    const execs = (): void => report('ready');
    session.stdout.once('data', execs);
    setTimeout(execs, 300);
    await forever();
  },

  /** A durable container that prints and ends with 7 after its host. */
  async durable(engine, { extra }) {
    const script = 'echo one; sleep 1; echo two; exit 7';
    const container = await engine.containers.run({ image: 'box', command: ['sh', '-c', script], ...extra });
    report(container.id);
    await forever();
  },

  async create(engine, { extra }) {
    report('ready');
    const container = await engine.containers.create({ ...sleeper, name: 'cut', ...extra });
    await container.start();
    report(container.id);
    await forever();
  },

  /** Every kind of work once; what the sweep of kills cuts at each step. */
  async everything(engine, { extra }) {
    const source = extra?.['rootfs'] as string;
    await engine.run('box', ['true']);
    await engine.run('box', ['sh', '-c', 'exit 3'], { name: 'named-run' });
    {
      await using box = await engine.containers.ephemeral({ ...sleeper, name: 'named-box' });
      await box.exec(['true']);
    }
    const container = await engine.containers.create({ image: 'box', name: 'durable-1', command: ['sleep', '1000'] });
    await container.start();
    await container.exec(['true']);
    await container.stop({ timeoutMs: 0 });
    await container.remove();
    const kept = await engine.containers.run({ image: 'box', name: 'durable-2', command: ['sleep', '1000'] });
    await engine.images.import(source, { reference: 'imported' });
    await engine.images.remove('imported');
    await kept.remove({ force: true });
    await engine.containers
      .run({ image: 'box', name: 'durable-3', command: ['true'], autoRemove: true })
      .then((c) => c.wait());
    await useVolumes(engine);
    await engine.close();
    report('done');
    report({ count: (globalThis as { failpointCalls?: number }).failpointCalls });
  },

  /** Random verbs on a root that others use too. */
  async crowd(engine, { seed = 1, seconds = 5 }) {
    const random = randomFrom(seed);
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
    const mine = new Set<string>();
    const counts: Record<string, number> = {};
    const endsAt = Date.now() + seconds * 1000;
    report('ready');
    while (Date.now() < endsAt) {
      const verb = pick([
        'run',
        'create',
        'create',
        'start',
        'start',
        'exec',
        'stop',
        'remove',
        'list',
        'steal',
        'box',
      ]) as string;
      const slow = setTimeout(() => console.error(`seed ${seed}: ${verb} takes more than 20 s`), 20_000);
      try {
        await act(verb);
        counts[verb] = (counts[verb] ?? 0) + 1;
      } catch (error) {
        if (!isExpected(error)) throw error;
        const reason = (error as EngineError).reason;
        counts[reason] = (counts[reason] ?? 0) + 1;
      } finally {
        clearTimeout(slow);
      }
    }
    for (const id of mine) {
      // Nobody else removes ours: a record that is missing now was lost.
      await engine.containers.get(id);
    }
    report({ mine: [...mine], counts });
    await engine.close();
    process.disconnect();

    async function act(verb: string): Promise<void> {
      const id = pick([...mine]);
      if (verb === 'run') {
        const { stdout } = await engine.run('box', ['echo', 'hello'], { name: `shared-${Math.floor(random() * 3)}` });
        if (stdout !== 'hello\n') throw new RangeError(`run gave ${JSON.stringify(stdout)}`);
      } else if (verb === 'box') {
        await using box = await engine.containers.ephemeral(sleeper);
        await box.exec(['true']);
      } else if (verb === 'create') {
        if (mine.size >= 4) return;
        const name = random() < 0.5 ? `shared-${Math.floor(random() * 3)}` : undefined;
        const made = await engine.containers.create({ ...sleeper, ...(name !== undefined && { name }) });
        mine.add(made.id);
        report({ made: made.id });
      } else if (verb === 'list') {
        const all = await engine.containers.list({ all: true });
        const ids = new Set(all.map((row) => row.id));
        for (const own of mine) if (!ids.has(own)) throw new RangeError(`${own} is not listed`);
        const names = all.filter((row) => row.name !== undefined).map((row) => row.name);
        if (new Set(names).size !== names.length) throw new RangeError(`names are not unique: ${names.join()}`);
      } else if (verb === 'steal') {
        // Another process's container: exec in it, or stop it.
        const row = pick(await engine.containers.list());
        if (row?.kind !== 'durable') return;
        const other = await engine.containers.get(row.id);
        if (random() < 0.5) await other.exec(['true']);
        else await other.stop({ timeoutMs: 0 });
      } else if (id !== undefined) {
        const container = await engine.containers.get(id);
        if (verb === 'start') await container.start();
        if (verb === 'exec') await container.exec(['true']);
        if (verb === 'stop') await container.stop({ timeoutMs: 0 });
        if (verb === 'remove') {
          report({ removing: id });
          await container.remove({ force: true });
          mine.delete(id);
        }
      }
    }
  },
};

/** What containers and hosts do with volumes, each once. */
async function useVolumes(engine: Engine): Promise<void> {
  const mounts = [
    { type: 'volume', source: 'vol-shared', target: '/shared' },
    { type: 'volume', target: '/own' },
  ] as const;
  {
    await using box = await engine.containers.ephemeral({ ...sleeper, name: 'volume-box', mounts });
    await box.exec(['sh', '-c', 'echo x > /shared/x; echo x > /own/x'], { check: true });
  }
  const container = await engine.containers.create({ ...sleeper, name: 'durable-4', mounts });
  await container.start();
  await container.stop({ timeoutMs: 0 });
  await container.remove({ volumes: true });
  await engine.volumes.create({ name: 'vol-made' });
  await engine.volumes.remove('vol-made');
  await engine.volumes.remove('vol-shared');
}

/** What a crowd may meet: names that are taken, containers that others stop or remove under our hands. */
function isExpected(error: unknown): boolean {
  return (
    EngineError.is(error, 'ALREADY_EXISTS') ||
    EngineError.is(error, 'FAILED_PRECONDITION') ||
    EngineError.is(error, 'NOT_FOUND')
  );
}

function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

process.once('message', async (order: HostOrder) => {
  const engine = await Engine.open(order.options);
  await (JOBS[order.job] as Job)(engine, order);
  if (order.job === 'everything' && process.connected) process.disconnect();
});
