import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { registerChecks, volumeDriverContract } from '#src/testing/index.js';
import { guardDriver } from '#src/volumes/drivers/index.js';
import { LocalVolumeDriver } from '#src/volumes/local/index.js';
import { tempDir } from '#support/roots.js';
import { unguarded } from '#support/unguarded.js';

const isRoot = process.getuid?.() === 0;
const only = (name: string, body: () => Promise<void>) => it(name, body);

describe('the built-in driver local', { skip: !isRoot && 'missing: root' }, () => {
  const dir = tempDir({ after }, 'local');
  const open = () => LocalVolumeDriver.open({ dir: join(dir, 'volumes'), runDir: join(dir, 'run') });
  const guarded = async () => unguarded(guardDriver(await open(), { source: 'built-in' }));
  registerChecks('a plain directory', volumeDriverContract(open, { reopen: open }), {
    describe,
    it: only,
  });
  registerChecks('behind its guard', volumeDriverContract(guarded, { honorsSignals: true }), { describe, it: only });
  const tmpfs = { createOptions: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }, keepsData: false };
  registerChecks('a tmpfs', volumeDriverContract(open, tmpfs), { describe, it: only });
});
