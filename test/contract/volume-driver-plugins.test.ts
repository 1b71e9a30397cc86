import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LegacyPlugins } from '#src/plugins/index.js';
import { registerChecks, volumeDriverContract } from '#src/testing/index.js';
import { DriverStore } from '#src/volumes/drivers/index.js';
import { startPerlVolumePlugin } from '#support/plugins/perl-volume-plugin.js';
import { startVolumePlugin } from '#support/plugins/volume-plugin.js';
import { findBinary } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { unguarded } from '#support/unguarded.js';

/** Without the checks that don't apply: the suite takes a skipped test for something that is missing. */
const only = (name: string, body: () => Promise<void>) => it(name, body);

describe('plugins as volume drivers', () => {
  const dir = tempDir({ after }, 'plugins');
  let store: DriverStore;
  const ends: (() => void)[] = [];
  const open = async () => {
    const plugins = await LegacyPlugins.open({ socketDirs: [join(dir, 'plugins')], specDirs: [], retryMs: 0 });
    return DriverStore.open({ plugins });
  };
  before(async () => {
    // Not the hook itself: within another hook it would end the plugins at once.
    const afterwards = { after: (work: () => void) => void ends.push(work), skip: () => {} };
    await startVolumePlugin(afterwards, { dir });
    await startPerlVolumePlugin(afterwards, dir);
    store = await open();
  });
  after(async () => {
    await store.close();
    for (const end of ends) end();
  });

  const contractOf = (name: string) =>
    volumeDriverContract(async () => unguarded(await store.get(name)), {
      honorsSignals: true,
      reopen: async () => unguarded(await (await open()).get(name)),
    });
  registerChecks('one in Node', contractOf('testvol'), { describe, it: only });
  const isMissing = findBinary('perl') === undefined;
  describe('in another language', { skip: isMissing && 'missing: perl' }, () => {
    registerChecks('one in Perl', contractOf('perlvol'), { describe, it: only });
  });
});
