import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, read, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '#src/errors/index.js';
import { mount } from '#src/os/syscalls/index.js';
import { LocalBed, reason } from './volumes-local-bed.js';

/** A file system whose server never answers: whoever looks for a file in it waits. */
class HungServer {
  readonly path: string;
  readonly #fd: number;
  #open = true;

  constructor(t: TestContext, bed: LocalBed) {
    this.path = bed.make('hung');
    this.#fd = openSync('/dev/fuse', 'r+');
    mount('caisson-test', this.path, 'fuse', 0, `fd=${this.#fd},rootmode=40000,user_id=0,group_id=0`);
    t.after(() => this.end());
  }

  /** Takes requests: who waits for one that was taken can not be killed. Resolves when that has begun. */
  async takeRequests(): Promise<void> {
    const request = Buffer.alloc(1 << 17);
    const take = () =>
      new Promise<number>((resolve) => read(this.#fd, request, 0, request.length, null, (_, n) => resolve(n ?? 0)));
    await take();
    // FUSE_INIT: 7.31, no features.
    const answer = Buffer.alloc(16 + 64);
    answer.writeUInt32LE(answer.length, 0);
    request.copy(answer, 8, 8, 16);
    answer.writeUInt32LE(7, 16);
    answer.writeUInt32LE(31, 20);
    answer.writeUInt16LE(16, 32);
    answer.writeUInt32LE(4096, 36);
    writeSync(this.#fd, answer);
    this.taken = take();
  }

  taken: Promise<number> = Promise.resolve(0);

  /** All who wait get an error. */
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }
}

const children = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);

async function eventually(what: string, check: () => boolean): Promise<void> {
  for (let n = 0; n < 500; n++) {
    if (check()) return;
    await delay(10);
  }
  assert.fail(`never: ${what}`);
}

const skip = process.geteuid?.() !== 0 ? 'missing: root' : !existsSync('/dev/fuse') && 'missing: /dev/fuse';

describe('a local volume whose server or disk does not answer', { skip }, () => {
  it('keeps no event loop and no other volume waiting, and is ended by signal or time', async (t) => {
    const bed = new LocalBed(t);
    const server = new HungServer(t, bed);
    await using driver = await bed.open({ mountTimeoutMs: 700 });
    await driver.create({
      name: 'hung',
      options: { type: 'ext4', device: join(server.path, 'disk'), o: 'errors=remount-ro' },
    });
    await driver.create({ name: 'mem', options: { type: 'tmpfs', device: 'tmpfs' } });
    const controller = new AbortController();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const before = children();
    const mounting = driver.mount({ name: 'hung', id: 'one' }, { signal: controller.signal });
    const refused = assert.rejects(mounting, reason('CANCELED'));
    await eventually('a process waits', () => children().length > before.length);
    const [child] = children().filter((pid) => !before.includes(pid));
    await delay(150);
    for (const file of ['cmdline', 'environ'])
      assert.doesNotMatch(readFileSync(`/proc/${child}/${file}`, 'latin1'), /remount-ro|hung/);
    await driver.mount({ name: 'mem', id: 'one' });
    await driver.unmount({ name: 'mem', id: 'one' });
    assert.equal((await driver.get('hung'))?.status?.['mounted'], false);
    assert.ok(turns > 40, `${turns} turns of the event loop`);
    controller.abort();
    const at = performance.now();
    await refused;
    assert.ok(performance.now() - at < 1_000);
    clearInterval(timer);
    await eventually('it is gone', () => children().length === before.length);
    await assert.rejects(driver.mount({ name: 'hung', id: 'two' }), (error) => {
      assert.ok(EngineError.is(error, undefined, 'LOCAL_VOLUME_MOUNT_FAILED'), String(error));
      assert.match(error.message, /ETIMEDOUT \(its server or disk does not answer\)/);
      assert.equal(error.details['retryable'], true);
      return true;
    });
    await driver.remove('hung');
    assert.equal(children().length, before.length);
  });

  it('is not tried a second time while the first attempt can not be killed', async (t) => {
    const bed = new LocalBed(t);
    const server = new HungServer(t, bed);
    await using driver = await bed.open();
    await using other = await bed.open();
    await server.takeRequests();
    await driver.create({ name: 'hung', options: { type: 'ext4', device: join(server.path, 'disk') } });
    const controller = new AbortController();
    const before = children().length;
    const refused = assert.rejects(
      driver.mount({ name: 'hung', id: 'one' }, { signal: controller.signal }),
      reason('CANCELED'),
    );
    await server.taken;
    controller.abort();
    await refused;
    assert.equal(children().length, before + 1, 'the process is still there');
    await assert.rejects(other.mount({ name: 'hung', id: 'two' }), reason('LOCAL_VOLUME_MOUNT_PENDING'));
    await assert.rejects(other.remove('hung'), reason('LOCAL_VOLUME_MOUNT_PENDING'));
    server.end();
    await eventually('it is gone', () => children().length === before);
    await assert.rejects(other.mount({ name: 'hung', id: 'two' }), reason('LOCAL_VOLUME_MOUNT_FAILED'));
    await other.remove('hung');
    assert.deepEqual(readdirSync(bed.dir).sort(), ['.staging', '.trash']);
  });

  it('is mounted or not when it is ended at any time, and never held without', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    // Any type but the few in memory that are known: mounted by a process.
    await driver.create({ name: 'ram', options: { type: 'ramfs', device: 'ramfs', o: 'mode=0700,rprivate' } });
    const seen = { mounted: 0, canceled: 0 };
    for (let ms = 0; ms < 150; ms += 5) {
      try {
        await driver.mount({ name: 'ram', id: 'one' }, { signal: AbortSignal.timeout(ms) });
        seen.mounted++;
        assert.equal(bed.mountsAt(bed.data('ram')).length, 1);
        const ended = driver.unmount({ name: 'ram', id: 'one' }, { signal: AbortSignal.timeout(ms) });
        await ended.catch(() => driver.unmount({ name: 'ram', id: 'one' }));
      } catch (error) {
        assert.ok(EngineError.is(error, undefined, 'TIMED_OUT'), String(error));
        seen.canceled++;
      }
      assert.deepEqual(bed.mountsAt(bed.data('ram')), [], `ended after ${ms} ms`);
    }
    assert.ok(seen.mounted > 2 && seen.canceled > 2, JSON.stringify(seen));
    await driver.remove('ram');
  });

  it('is unmounted in a process, also where it is in use', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    await driver.create({ name: 'ram', options: { type: 'ramfs', device: 'ramfs' } });
    const { mountpoint } = await driver.mount({ name: 'ram', id: 'one' });
    mkdirSync(join(mountpoint, 'sub'));
    const inUse = openSync(join(mountpoint, 'sub'), 'r');
    await driver.unmount({ name: 'ram', id: 'one' });
    assert.deepEqual(bed.mountsAt(mountpoint), []);
    closeSync(inUse);
    await driver.remove('ram');
  });
});
