import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DriverVolume, VolumeDriver } from '../volumes/volume-driver.js';

/** What the checks do with a driver; each call with a time limit, and volumes that were made are removed at the end. */
export class VolumeDriverKit {
  readonly driver: VolumeDriver;
  readonly #limitMs: number;
  readonly #options: Readonly<Record<string, string>>;
  readonly #made = new Set<string>();
  readonly #mounts = new Map<string, { readonly name: string; readonly id: string }>();

  constructor(
    driver: VolumeDriver,
    settings: { readonly limitMs: number; readonly options: Readonly<Record<string, string>> },
  ) {
    this.driver = driver;
    this.#limitMs = settings.limitMs;
    this.#options = settings.options;
  }

  /** A name that nobody has: checks may run against a driver that keeps volumes of others. */
  newName(prefix = 'check'): string {
    return `${prefix}-${randomBytes(6).toString('hex')}`;
  }

  newId(): string {
    return randomBytes(32).toString('hex');
  }

  async create(name = this.newName()): Promise<string> {
    this.#made.add(name);
    await this.#do('create', (call) => this.driver.create({ name, options: { ...this.#options } }, call));
    return name;
  }

  async remove(name: string): Promise<void> {
    await this.#do('remove', (call) => this.driver.remove(name, call));
    this.#made.delete(name);
  }

  /** Gives the mountpoint, which must be a directory that is there. */
  async mount(name: string, id: string): Promise<string> {
    this.#mounts.set(`${name} ${id}`, { name, id });
    const answer = await this.#do('mount', (call) => this.driver.mount({ name, id }, call));
    const mountpoint: unknown = answer?.mountpoint;
    assert.ok(typeof mountpoint === 'string', `mount gave the mountpoint ${String(mountpoint)} instead of a text`);
    assert.ok(mountpoint.startsWith('/'), `mount gave the mountpoint ${mountpoint}, which is not absolute`);
    assert.ok(!mountpoint.split('/').includes('..'), `mount gave the mountpoint ${mountpoint}, which has ..`);
    assert.ok(/[^/.]/.test(mountpoint), `mount gave the mountpoint ${mountpoint}, which is the root of the host`);
    assert.ok(
      statSync(mountpoint, { throwIfNoEntry: false })?.isDirectory(),
      `mount gave the mountpoint ${mountpoint}, which is no directory`,
    );
    return mountpoint;
  }

  async unmount(name: string, id: string): Promise<void> {
    await this.#do('unmount', (call) => this.driver.unmount({ name, id }, call));
    this.#mounts.delete(`${name} ${id}`);
  }

  async get(name: string): Promise<DriverVolume | undefined> {
    return this.#do('get', (call) => this.driver.get(name, call));
  }

  async list(): Promise<readonly DriverVolume[]> {
    const volumes = await this.#do('list', (call) => this.driver.list(call));
    assert.ok(Array.isArray(volumes), `list gave ${String(volumes)} instead of an array`);
    return volumes;
  }

  async isListed(name: string): Promise<boolean> {
    const found = (await this.list()).filter((volume) => volume.name === name);
    assert.ok(found.length < 2, `list gave volume ${name} ${found.length} times`);
    return found.length === 1;
  }

  /** Mounts for the time of `work`. */
  async whileMounted<T>(name: string, work: (mountpoint: string) => Promise<T>): Promise<T> {
    const id = this.newId();
    const mountpoint = await this.mount(name, id);
    const result = await work(mountpoint);
    await this.unmount(name, id);
    return result;
  }

  async write(mountpoint: string, file: string, text: string): Promise<void> {
    await writeFile(join(mountpoint, file), text);
  }

  async assertFile(mountpoint: string, file: string, text: string, when: string): Promise<void> {
    let seen: string;
    try {
      seen = await readFile(join(mountpoint, file), 'utf8');
    } catch (error) {
      assert.fail(`${when}, the file ${file} can't be read: ${(error as Error).message}`);
    }
    assert.equal(seen, text, `${when}, the file ${file} has other content`);
  }

  async assertEmpty(mountpoint: string, when: string): Promise<void> {
    const names = (await readdir(mountpoint)).filter((name) => name !== 'lost+found');
    assert.deepEqual(names, [], `${when}, the volume is not empty`);
  }

  /** Like a call of the driver, also for calls the kit does not make itself. */
  async limited<T>(what: string, work: (call: { readonly signal: AbortSignal }) => Promise<T> | T): Promise<T> {
    return this.#do(what, work);
  }

  /** Lets go of all that a check has made. Failures are reported unless the check failed already. */
  async cleanUp(): Promise<void> {
    const problems: unknown[] = [];
    const attempt = async (work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        problems.push(error);
      }
    };
    for (const { name, id } of [...this.#mounts.values()]) await attempt(() => this.unmount(name, id));
    for (const name of [...this.#made]) await attempt(() => this.remove(name));
    if (problems.length > 0) throw problems[0];
  }

  async #do<T>(what: string, work: (call: { readonly signal: AbortSignal }) => Promise<T> | T): Promise<T> {
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      // Not unref'd: a driver that never answers must make the check fail, not the program end.
      // allow timer: the check is waited for, and cleared right below
      timer = setTimeout(() => {
        controller.abort(new DOMException(`${what} took too long`, 'TimeoutError'));
        reject(new assert.AssertionError({ message: `${what} was not done after ${this.#limitMs} ms` }));
      }, this.#limitMs);
    });
    try {
      const answer = (async () => await work({ signal: controller.signal }))();
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
