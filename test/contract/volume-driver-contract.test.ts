import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { registerChecks, type VolumeDriverContractOptions, volumeDriverContract } from '#src/testing/index.js';
import { guardDriver } from '#src/volumes/drivers/index.js';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';
import { directoryDriver } from '#support/directory-driver.js';
import { tempDir } from '#support/roots.js';
import { unguarded } from '#support/unguarded.js';

const dir = tempDir({ after }, 'contract');
const newDir = () => mkdtempSync(join(dir, 'd-'));

/** Without the checks that don't apply: the suite takes a skipped test for something that is missing. */
const only = (name: string, body: () => Promise<void>) => it(name, body);

describe('the contract of volume drivers', () => {
  const volumes = newDir();
  const reopen = () => directoryDriver(volumes);
  registerChecks('a driver of twenty lines', volumeDriverContract(reopen, { reopen }), { describe, it: only });
  const guarded = () => unguarded(guardDriver(directoryDriver(volumes), { source: 'host' }));
  registerChecks('the same behind its guard', volumeDriverContract(guarded, { honorsSignals: true }), {
    describe,
    it: only,
  });

  it('leaves nothing in a driver that keeps its rules', () => {
    assert.deepEqual(readdirSync(volumes), []);
  });
});

/** A driver that holds mounts as a real one does: what nobody holds is not accessible. */
class HoldingDriver implements VolumeDriver {
  readonly name = 'holding';
  protected readonly dir = newDir();
  protected readonly holders = new Map<string, string[]>();

  create(request: { readonly name: string }): void {
    if (!this.holders.has(request.name)) {
      mkdirSync(join(this.dir, `away-${request.name}`), { recursive: true });
      this.holders.set(request.name, []);
    }
  }
  remove(name: string): void {
    if ((this.holders.get(name)?.length ?? 0) > 0) throw new Error(`volume ${name} is mounted`);
    this.holders.delete(name);
    rmSync(join(this.dir, `away-${name}`), { recursive: true, force: true });
  }
  mount({ name, id }: { readonly name: string; readonly id: string }): { mountpoint: string } {
    const ids = this.holders.get(name);
    if (ids === undefined) throw new Error(`no volume ${name}`);
    if (ids.length === 0) renameSync(join(this.dir, `away-${name}`), join(this.dir, `at-${name}`));
    if (!ids.includes(id)) ids.push(id);
    return { mountpoint: join(this.dir, `at-${name}`) };
  }
  unmount({ name, id }: { readonly name: string; readonly id: string }): void {
    const ids = this.holders.get(name) ?? [];
    if (!ids.includes(id)) return;
    ids.splice(ids.indexOf(id), 1);
    if (ids.length === 0) renameSync(join(this.dir, `at-${name}`), join(this.dir, `away-${name}`));
  }
  get(name: string): { name: string } | undefined {
    return this.holders.has(name) ? { name } : undefined;
  }
  list(): { name: string }[] {
    return [...this.holders.keys()].map((name) => ({ name }));
  }
  end(name: string): void {
    const ids = this.holders.get(name) ?? [];
    for (const id of [...ids]) HoldingDriver.prototype.unmount.call(this, { name, id });
  }
}

/** Drivers with one fault each, and the checks that must find it. */
const FAULTY: [string, VolumeDriver, readonly string[], VolumeDriverContractOptions?][] = [
  ['has a bad name', Object.assign(new HoldingDriver(), { name: 'a/b' }), ['it has a valid name and scope']],
  [
    'has a bad scope',
    Object.assign(new HoldingDriver(), { scope: 'galaxy' as never }),
    ['it has a valid name and scope'],
  ],
  [
    'never finds',
    new (class extends HoldingDriver {
      override get = () => undefined;
    })(),
    ['a volume that was created is found and listed, once', 'what get tells has the right form'],
  ],
  [
    'finds anything',
    new (class extends HoldingDriver {
      override get = (name: string) => ({ name });
    })(),
    ['get of an unknown volume gives undefined', 'mount of an unknown volume fails and makes none'],
  ],
  [
    'finds null for what is unknown',
    new (class extends HoldingDriver {
      override get = (name: string) => super.get(name) ?? (null as never);
    })(),
    ['get of an unknown volume gives undefined'],
  ],
  [
    'throws for what is unknown',
    new (class extends HoldingDriver {
      override get(name: string) {
        const volume = super.get(name);
        if (volume === undefined) throw new Error('no such volume');
        return volume;
      }
    })(),
    ['get of an unknown volume gives undefined'],
  ],
  [
    'finds another volume',
    new (class extends HoldingDriver {
      override get = (name: string) => super.get(name) && { name: `${name}x` };
    })(),
    ['a volume that was created is found and listed, once'],
  ],
  [
    'lists twice',
    new (class extends HoldingDriver {
      override list = () => [...super.list(), ...super.list()];
    })(),
    ['a volume that was created is found and listed, once'],
  ],
  [
    'lists nothing',
    new (class extends HoldingDriver {
      override list = () => [];
    })(),
    ['a volume that was created is found and listed, once', 'one volume created by many at once is one volume'],
  ],
  [
    'tells a text as time',
    new (class extends HoldingDriver {
      override get = (name: string) => super.get(name) && { name, createdAt: new Date().toISOString() as never };
    })(),
    ['what get tells has the right form'],
  ],
  [
    'tells the root as mountpoint',
    new (class extends HoldingDriver {
      override get = (name: string) => super.get(name) && { name, mountpoint: '/' };
    })(),
    ['what get tells has the right form'],
  ],
  [
    'creates once only',
    new (class extends HoldingDriver {
      override create(request: { readonly name: string }) {
        if (this.holders.has(request.name)) throw new Error('exists');
        super.create(request);
      }
    })(),
    ['create of a volume that exists succeeds and changes nothing', 'one volume created by many at once is one volume'],
  ],
  [
    'empties what is created again',
    new (class extends HoldingDriver {
      override create(request: { readonly name: string }) {
        this.remove(request.name);
        super.create(request);
      }
    })(),
    ['create of a volume that exists succeeds and changes nothing'],
  ],
  [
    'keeps content of what is removed',
    new (class extends HoldingDriver {
      override remove = (name: string) => void this.holders.delete(name);
    })(),
    ['a volume that was removed is gone, and a new one of its name is empty'],
  ],
  [
    'removes nothing',
    new (class extends HoldingDriver {
      override remove = () => {};
    })(),
    ['a volume that was removed is gone, and a new one of its name is empty', 'many volumes live at once'],
  ],
  [
    'refuses to remove what is unknown',
    new (class extends HoldingDriver {
      override remove(name: string) {
        if (!this.holders.has(name)) throw new Error('no such volume');
        super.remove(name);
      }
    })(),
    ['remove of an unknown volume is no error'],
  ],
  [
    'has one place for all',
    new (class extends HoldingDriver {
      override mount(request: { readonly name: string; readonly id: string }) {
        super.mount(request);
        mkdirSync(join(this.dir, 'one'), { recursive: true });
        return { mountpoint: join(this.dir, 'one') };
      }
    })(),
    ['volumes do not share their content', 'an id holds each volume for itself'],
  ],
  [
    'takes A for a',
    new (class extends HoldingDriver {
      override create = (request: { readonly name: string }) => super.create({ name: request.name.toLowerCase() });
      override get = (name: string) => super.get(name.toLowerCase());
      override remove = (name: string) => super.remove(name.toLowerCase());
    })(),
    ['odd but legal names work and are told apart'],
  ],
  [
    'keeps names in a plain object',
    new (class extends HoldingDriver {
      readonly #names: Record<string, boolean> = {};
      override create(request: { readonly name: string }) {
        this.#names[request.name] = true;
        super.create(request);
      }
      override get = (name: string) => ((name.split('-')[0] as string) in {} ? { name } : super.get(name));
    })(),
    ['odd but legal names work and are told apart'],
  ],
  [
    'mounts what is unknown',
    new (class extends HoldingDriver {
      override mount(request: { readonly name: string; readonly id: string }) {
        this.create(request);
        return super.mount(request);
      }
    })(),
    ['mount of an unknown volume fails and makes none'],
  ],
  [
    'gives a relative mountpoint',
    new (class extends HoldingDriver {
      override mount = () => ({ mountpoint: 'relative' });
    })(),
    ['a mounted volume is a directory that can be written', 'content survives unmount and mount'],
  ],
  [
    'gives the root',
    new (class extends HoldingDriver {
      override mount = () => ({ mountpoint: '/' });
    })(),
    ['a mounted volume is a directory that can be written'],
  ],
  [
    'gives what is not there',
    new (class extends HoldingDriver {
      override mount = () => ({ mountpoint: join(this.dir, 'missing') });
    })(),
    ['a mounted volume is a directory that can be written'],
  ],
  [
    'forgets content',
    new (class extends HoldingDriver {
      override unmount(request: { readonly name: string; readonly id: string }) {
        super.unmount(request);
        rmSync(join(this.dir, `away-${request.name}`), { recursive: true, force: true });
        if (this.holders.get(request.name)?.length === 0) mkdirSync(join(this.dir, `away-${request.name}`));
      }
    })(),
    ['content survives unmount and mount'],
  ],
  [
    'gives each holder its own copy',
    new (class extends HoldingDriver {
      override mount(request: { readonly name: string; readonly id: string }) {
        super.mount(request);
        mkdirSync(join(this.dir, request.id), { recursive: true });
        return { mountpoint: join(this.dir, request.id) };
      }
    })(),
    ['holders see the same content at the same time', 'content survives unmount and mount'],
  ],
  [
    'ends the mount with any holder',
    new (class extends HoldingDriver {
      override unmount = ({ name }: { readonly name: string }) => this.end(name);
    })(),
    ['one holder does not end the mount of another', 'unmount is idempotent and takes nothing from others'],
  ],
  [
    'counts, and takes any id',
    new (class extends HoldingDriver {
      override unmount({ name }: { readonly name: string }) {
        const id = this.holders.get(name)?.[0];
        if (id !== undefined) super.unmount({ name, id });
      }
    })(),
    ['unmount is idempotent and takes nothing from others'],
  ],
  [
    'refuses to unmount twice',
    new (class extends HoldingDriver {
      override unmount(request: { readonly name: string; readonly id: string }) {
        if (this.holders.get(request.name)?.includes(request.id) !== true) throw new Error('not mounted');
        super.unmount(request);
      }
    })(),
    ['unmount is idempotent and takes nothing from others'],
  ],
  [
    'counts one holder twice',
    new (class extends HoldingDriver {
      override mount(request: { readonly name: string; readonly id: string }) {
        const answer = super.mount(request);
        const ids = this.holders.get(request.name) as string[];
        if (this.#seen.has(request.id)) ids.push(request.id);
        this.#seen.add(request.id);
        return answer;
      }
      readonly #seen = new Set<string>();
    })(),
    ['the same id is one holder, also when it mounts again'],
  ],
  [
    'ends all mounts of an id',
    new (class extends HoldingDriver {
      override unmount({ id }: { readonly name: string; readonly id: string }) {
        for (const name of this.holders.keys()) super.unmount({ name, id });
      }
    })(),
    ['an id holds each volume for itself'],
  ],
  [
    'loses the race of two creates',
    new (
      class extends HoldingDriver {
        override async create(request: { readonly name: string }) {
          const isThere = this.holders.has(request.name);
          await new Promise(setImmediate);
          if (!isThere && this.holders.has(request.name)) throw new Error('EEXIST');
          super.create(request);
        }
      } as unknown as new () => VolumeDriver
    )(),
    ['one volume created by many at once is one volume'],
  ],
  [
    'loses the race of two mounts',
    new (class extends HoldingDriver {
      readonly #counts = new Map<string, number>();
      async #add(name: string, change: number) {
        const count = this.#counts.get(name) ?? 0;
        await new Promise(setImmediate);
        this.#counts.set(name, count + change);
        return count + change;
      }
      override mount = (async (request: { readonly name: string; readonly id: string }) => {
        await this.#add(request.name, 1);
        return super.mount(request);
      }) as never;
      override unmount = (async ({ name }: { readonly name: string }) => {
        if ((await this.#add(name, -1)) <= 0) this.end(name);
      }) as never;
    })(),
    ['holders that come and go at once leave the mount to who stays'],
  ],
  [
    'breaks when it is aborted',
    new (class extends HoldingDriver {
      #isBroken = false;
      override get(name: string, call?: { readonly signal?: AbortSignal }) {
        this.#isBroken ||= call?.signal?.aborted === true;
        if (this.#isBroken) throw new Error('broken');
        return super.get(name);
      }
    })(),
    ['a call that was aborted leaves the driver usable'],
  ],
  [
    'never answers when it is aborted',
    new (class extends HoldingDriver {
      override get(name: string, call?: { readonly signal?: AbortSignal }) {
        if (call?.signal?.aborted === true) return new Promise(() => {}) as never;
        return super.get(name);
      }
    })(),
    ['a call that was aborted leaves the driver usable'],
    { limitMs: 50 },
  ],
  ['ignores signals', new HoldingDriver(), ['a call whose signal is aborted rejects'], { honorsSignals: true }],
  [
    'is not the same when it is opened again',
    new HoldingDriver(),
    ['volumes and their content are there for another process'],
    { reopen: () => new HoldingDriver() },
  ],
];

describe('the contract finds a driver that', () => {
  const found = new Set<string>();
  for (const [fault, driver, expected, options] of FAULTY) {
    it(fault, async () => {
      const failed: string[] = [];
      for (const check of volumeDriverContract(() => driver, options)) {
        if (check.skip !== undefined) continue;
        await check.run().catch(() => failed.push(check.name));
      }
      for (const name of expected) {
        assert.ok(failed.includes(name), `not found by: ${name}; found by: ${failed.join('; ')}`);
        found.add(name);
      }
    });
  }

  it('breaks any of its rules: each check can fail', () => {
    const names = volumeDriverContract(() => new HoldingDriver()).map((check) => check.name);
    assert.deepEqual(
      names.filter((name) => !found.has(name)),
      [],
    );
  });

  it('does nothing wrong, not', async () => {
    for (const check of volumeDriverContract(() => new HoldingDriver())) {
      if (check.skip === undefined) await check.run();
    }
  });
});

describe('the checks', () => {
  it('are skipped with a reason where they do not apply', () => {
    const options = { keepsData: false, skip: { 'remove of an unknown volume is no error': 'it is one here' } };
    const skipped = volumeDriverContract(() => new HoldingDriver(), options).filter(
      (check) => check.skip !== undefined,
    );
    assert.deepEqual(
      skipped.map((check) => `${check.name}: ${check.skip}`),
      [
        'remove of an unknown volume is no error: it is one here',
        'volumes and their content are there for another process: no reopen was given',
        'content survives unmount and mount: the driver keeps no data',
        'a call whose signal is aborted rejects: honorsSignals was not given',
      ],
    );
    assert.throws(() => volumeDriverContract(() => new HoldingDriver(), { skip: { mistyped: 'x' } }), TypeError);
  });

  it('are registered with any framework that has test or it', () => {
    const calls: string[] = [];
    const test = Object.assign((name: string) => calls.push(name), {
      skip: (name: string) => calls.push(`skip ${name}`),
    });
    const checks = [
      { name: 'one', run: async () => {} },
      { name: 'two', skip: 'why', run: async () => {} },
    ];
    registerChecks('mine', checks, { test });
    registerChecks('mine', checks, { it: test, describe: (name, body) => [calls.push(name), body()] });
    assert.deepEqual(calls, ['mine: one', 'skip mine: two (why)', 'mine', 'one', 'skip two (why)']);
    assert.throws(() => registerChecks('mine', checks, {}), TypeError);
  });

  it('dispose a driver that can be, and clean up after a failure', async () => {
    let disposed = 0;
    const driver = Object.assign(new HoldingDriver(), {
      unmount: () => {
        throw new Error('stuck');
      },
      [Symbol.asyncDispose]: async () => void disposed++,
    });
    const [check] = volumeDriverContract(() => driver).filter(
      (one) => one.name === 'holders see the same content at the same time',
    );
    await assert.rejects(check?.run() ?? Promise.resolve(), /stuck/);
    assert.equal(disposed, 1);
  });
});
