import assert from 'node:assert/strict';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { readMountInfo } from '#src/os/index.js';
import { MS, mount, umount } from '#src/os/syscalls/index.js';
import { measureDirectory } from '#src/volumes/local/index.js';
import { LocalBed } from './volumes-local-bed.js';
import { withRacer } from './volumes-local-racer.js';

const REFUSALS = ['LOCAL_VOLUME_UNSAFE', 'LOCAL_VOLUME_NOT_FOUND', 'SOURCE_NOT_FOUND'];

describe('a local volume whose data directory is exchanged for a link', {
  skip: process.geteuid?.() !== 0 && 'missing: root',
}, () => {
  for (const type of ['tmpfs', 'ramfs']) {
    it(`is mounted (${type}) at its place or not at all, and no mount of the host is touched`, async (t) => {
      const bed = new LocalBed(t);
      const victim = bed.make('victim');
      mount('caisson-test', victim, 'tmpfs', MS.NOSUID, 'size=64k');
      mount('none', victim, null, MS.SHARED, null);
      writeFileSync(join(victim, 'precious'), 'x'.repeat(20_000));
      await using driver = await bed.open();
      const o = type === 'tmpfs' ? 'size=64k,rprivate' : 'rprivate';
      await driver.create({ name: 'raced', options: { type, device: 'caisson-test', o } });
      symlinkSync(victim, join(bed.dir, 'raced', 'evil'));
      const seen = { mounted: 0, refused: 0 };
      await withRacer(t, join(bed.dir, 'raced'), [['_data', 'evil']], async () => {
        const endsAt = Date.now() + 2_500;
        while (Date.now() < endsAt || (seen.mounted === 0 && Date.now() < endsAt + 10_000)) {
          try {
            await driver.mount({ name: 'raced', id: 'one' });
            // A rename that the kernel had let begin ends after the mount, which then has the other name.
            const at = ['_data', 'evil'].flatMap((name) => bed.mountsAt(join(bed.dir, 'raced', name)));
            assert.equal(at.length, 1);
            seen.mounted++;
          } catch (error) {
            assert.ok(EngineError.is(error) && REFUSALS.includes(error.reason), String(error));
            seen.refused++;
          }
          await measureDirectory(bed.data('raced'))
            .then(({ apparentBytes }) => assert.ok(apparentBytes < 10_000))
            .catch((error) => assert.ok(EngineError.is(error, undefined, 'SOURCE_NOT_FOUND'), String(error)));
          await driver.unmount({ name: 'raced', id: 'one' });
          const [host, ...others] = readMountInfo().filter((one) => one.mountPoint.startsWith(`${bed.root}/`));
          assert.deepEqual(others, [], 'nothing is left mounted, at whatever name');
          assert.equal(host?.mountPoint, victim);
          assert.ok(host?.options.includes('nosuid'));
        }
      });
      assert.ok(seen.mounted > 0 && seen.refused > 0, JSON.stringify(seen));
      t.diagnostic(JSON.stringify(seen));
      assert.deepEqual(readdirSync(victim), ['precious']);
      await driver.remove('raced').catch(() => driver.remove('raced'));
      assert.deepEqual(readdirSync(victim), ['precious']);
      umount(victim);
    });
  }
});
