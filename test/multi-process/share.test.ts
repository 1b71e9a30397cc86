import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DeathBed, type Host } from '#support/death-bed.js';
import { requireBinary, requireRoot } from '#support/require.js';

const SECONDS = Number(process.env['CAISSON_TEST_SHARE_SECONDS'] ?? 15);
const WORKERS = 8;

interface Note {
  readonly made?: string;
  readonly removing?: string;
  readonly mine?: readonly string[];
  readonly counts?: Readonly<Record<string, number>>;
}

function ready(t: Parameters<typeof requireBinary>[0]): boolean {
  return ['runc', 'conmon', 'busybox'].every((name) => requireBinary(t, name) !== undefined) && requireRoot(t);
}

describe('eight processes on one root', () => {
  it('lose no record and leave nothing', { timeout: (SECONDS + 120) * 1000 }, async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const crowd = new Crowd(bed);
    await Promise.all(Array.from({ length: WORKERS }, (_, n) => crowd.work(n + 1, SECONDS)));
    t.diagnostic(crowd.summary());
    await assertWhole(bed, crowd);
  });

  it('that are killed and started again: the same', { timeout: (SECONDS + 180) * 1000 }, async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const crowd = new Crowd(bed);
    const endsAt = Date.now() + SECONDS * 1000;
    let kills = 0;
    const lane = async (seed: number): Promise<void> => {
      for (let round = 0; Date.now() < endsAt; round++) {
        const killAfterMs = 200 + Math.random() * 2_500;
        kills++;
        await crowd.work(seed + round * 100, SECONDS, killAfterMs);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, n) => lane(n + 1)));
    t.diagnostic(`${kills} kills, ${crowd.summary()}`);
    const { left } = await bed.goneWithin(3_000, [...crowd.sure, ...crowd.unsure]);
    assert.deepEqual(left, []);
    await assertWhole(bed, crowd);
  });
});

/** What workers said they made and removed. */
class Crowd {
  readonly #bed: DeathBed;
  /** Made, and no removal was begun. */
  readonly sure = new Set<string>();
  /** A removal was begun; its worker may have died first. */
  readonly unsure = new Set<string>();
  readonly #counts: Record<string, number> = {};

  constructor(bed: DeathBed) {
    this.#bed = bed;
  }

  async work(seed: number, seconds: number, killAfterMs?: number): Promise<void> {
    const host = this.#bed.startHost({ job: 'crowd', seed, seconds });
    let finished: Note | undefined;
    host.child.on('message', (note: Note) => {
      if (note.made !== undefined) this.sure.add(note.made);
      if (note.removing !== undefined) {
        this.sure.delete(note.removing);
        this.unsure.add(note.removing);
      }
      if (note.mine !== undefined) finished = note;
    });
    if (killAfterMs !== undefined) setTimeout(host.kill, killAfterMs).unref();
    const { code, signal, stderr } = await withLimit(host, (seconds + 90) * 1000);
    if (killAfterMs !== undefined && signal === 'SIGKILL') return;
    assert.equal(code, 0, `worker ${seed} ended with ${code ?? signal}: ${stderr}`);
    for (const [verb, count] of Object.entries(finished?.counts ?? {})) {
      this.#counts[verb] = (this.#counts[verb] ?? 0) + count;
    }
  }

  summary(): string {
    return Object.entries(this.#counts)
      .map(([verb, count]) => `${count} ${verb}`)
      .join(', ');
  }
}

async function withLimit(host: Host, limitMs: number): ReturnType<() => Host['ended']> {
  const timer = setTimeout(host.kill, limitMs);
  try {
    return await host.ended;
  } finally {
    clearTimeout(timer);
  }
}

async function assertWhole(bed: DeathBed, crowd: Crowd): Promise<void> {
  {
    await using engine = await bed.open();
    const all = await engine.containers.list({ all: true });
    const ids = new Set(all.map((row) => row.id));
    const lost = [...crowd.sure].filter((id) => !ids.has(id));
    assert.deepEqual(lost, [], 'lost records');
    const names = all.map((row) => row.name);
    assert.equal(new Set(names).size, names.length, `names are not unique: ${names.join()}`);
    for (const row of all) {
      assert.ok(['created', 'running', 'exited'].includes(row.status), `${row.id} is ${row.status}`);
      assert.equal((await engine.containers.get(row.name as string)).id, row.id);
      const container = await engine.containers.get(row.id);
      await container.start();
      await container.remove({ force: true });
    }
  }
  assert.deepEqual(await bed.leaks(), []);
  assert.deepEqual(bed.containerFiles(), []);
}
