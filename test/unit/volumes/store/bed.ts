import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, engineError } from '#src/errors/index.js';
import { VolumeStore, type VolumeStoreOptions } from '#src/volumes/store/index.js';
import type { StoreDriver } from '#src/volumes/store/ports.js';
import type { DriverVolume } from '#src/volumes/volume-driver.js';
import { type Afterwards, tempDir } from '#support/roots.js';

/**
 * A real driver: `<dir>/<name>/data` is the content, `<dir>/<name>/ids/<id>` a mount. Several processes may use one
 * directory. `before` may wait or throw: a driver that is slow, hangs or fails.
 */
export class DirectoryDriver implements StoreDriver {
  readonly name: string;
  readonly source: 'host' | 'built-in' | 'plugin';
  generation = '1';
  readonly dir: string;
  readonly calls: string[] = [];
  before: (method: string, name: string, signal: AbortSignal | undefined) => Promise<void> | void = () => {};

  constructor(name: string, dir: string, source: 'host' | 'built-in' | 'plugin' = 'host') {
    this.name = name;
    this.dir = dir;
    this.source = source;
    mkdirSync(dir, { recursive: true });
  }

  async scope(): Promise<'local' | 'global'> {
    return 'local';
  }

  async create({ name, options }: { name: string; options: Readonly<Record<string, string>> }, call = {}) {
    await this.#begin('create', name, call);
    mkdirSync(join(this.dir, name, 'data'), { recursive: true });
    mkdirSync(join(this.dir, name, 'ids'), { recursive: true });
    writeFileSync(join(this.dir, name, 'options'), JSON.stringify(options));
  }

  async remove(name: string, call = {}) {
    await this.#begin('remove', name, call);
    if (this.mountIds(name).length > 0) {
      throw engineError('TOOL_FAILED', `volume ${name} of ${this.name} has active mounts ${this.mountIds(name)}`);
    }
    const trash = `${this.dir}/.trash-${name}-${process.pid}-${this.calls.length}`;
    try {
      renameSync(join(this.dir, name), trash);
    } catch {
      return;
    }
    rmSync(trash, { recursive: true, force: true });
  }

  async mount({ name, id }: { name: string; id: string }, call = {}) {
    await this.#begin('mount', name, call);
    if (!this.has(name)) throw engineError('TOOL_FAILED', `no volume ${name}`);
    writeFileSync(join(this.dir, name, 'ids', id), '');
    return { mountpoint: join(this.dir, name, 'data') };
  }

  async unmount({ name, id }: { name: string; id: string }, call = {}) {
    await this.#begin('unmount', name, call);
    rmSync(join(this.dir, name, 'ids', id), { force: true });
  }

  async get(name: string, call = {}): Promise<DriverVolume | undefined> {
    await this.#begin('get', name, call);
    return this.has(name)
      ? { name, mountpoint: join(this.dir, name, 'data'), status: { driver: this.name } }
      : undefined;
  }

  async list(call = {}): Promise<DriverVolume[]> {
    await this.#begin('list', '', call);
    return this.names().map((name) => ({ name, mountpoint: join(this.dir, name, 'data') }));
  }

  has(name: string): boolean {
    return existsSync(join(this.dir, name, 'data'));
  }

  names(): string[] {
    return readdirSync(this.dir).filter((name) => !name.startsWith('.') && this.has(name));
  }

  mountIds(name: string): string[] {
    return this.has(name) ? readdirSync(join(this.dir, name, 'ids')) : [];
  }

  async #begin(method: string, name: string, call: { signal?: AbortSignal }): Promise<void> {
    this.calls.push(method);
    if (call.signal?.aborted) throw engineError('CANCELED', 'canceled');
    await this.before(method, name, call.signal);
  }
}

/** What a DriverStore offers to a VolumeStore. */
export function driversOf(...drivers: StoreDriver[]) {
  const known = new Map(drivers.map((driver) => [driver.name.replace(/:latest$/, ''), driver]));
  const find = async (name: string) => known.get(name.replace(/:latest$/, ''));
  const source = {
    known,
    // Its own driver `local` takes the place of the built-in one.
    withBuiltIn: () => source,
    find,
    get: async (name: string) => {
      const driver = await find(name);
      if (driver === undefined) throw new EngineError('NOT_FOUND', 'DRIVER_NOT_FOUND', `there is no driver ${name}`);
      return driver;
    },
    all: async () => ({ drivers: [...known.values()], problems: [] as { name: string; error: Error }[] }),
  };
  return source;
}

export interface Bed {
  readonly dir: string;
  readonly root: string;
  readonly runDir: string;
  readonly local: DirectoryDriver;
  readonly other: DirectoryDriver;
  readonly drivers: ReturnType<typeof driversOf>;
  readonly events: string[];
  open(options?: Partial<VolumeStoreOptions>): Promise<VolumeStore>;
}

/** A root with two drivers, `local` and `other:latest`; stores are closed and all is removed after the test. */
export function makeBed(t: Afterwards): Bed {
  const dir = tempDir(t, 'volumes');
  const local = new DirectoryDriver('local', join(dir, 'local'), 'built-in');
  const other = new DirectoryDriver('other:latest', join(dir, 'other'), 'plugin');
  const drivers = driversOf(local, other);
  const root = join(dir, 'root');
  const runDir = join(dir, 'run');
  const events: string[] = [];
  const stores: VolumeStore[] = [];
  t.after(() => {
    for (const store of stores) void store.close();
  });
  return {
    dir,
    root,
    runDir,
    local,
    other,
    drivers,
    events,
    async open(options = {}) {
      const store = await VolumeStore.open({
        root,
        runDir,
        drivers,
        emit: ({ type, action, id, attributes }) =>
          events.push([type, action, id, JSON.stringify(attributes)].join(' ')),
        ...options,
      });
      stores.push(store);
      await store.recovered();
      return store;
    },
  };
}

/** An EngineError of this reason; gives it. */
export async function rejectsWith(work: Promise<unknown>, reason: string): Promise<EngineError> {
  try {
    await work;
  } catch (error) {
    if (EngineError.is(error) && error.reason === reason) return error;
    throw error;
  }
  throw new Error(`it did not fail with ${reason}`);
}
