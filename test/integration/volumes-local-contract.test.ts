import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readMountInfo } from '#src/os/index.js';
import { registerChecks, type VolumeDriverContractOptions, volumeDriverContract } from '#src/testing/index.js';
import { LocalVolumeDriver } from '#src/volumes/local/index.js';
import { tempDir } from '#support/roots.js';

const root = tempDir({ after }, 'local-contract');

function local(title: string, options: VolumeDriverContractOptions): void {
  const dir = mkdtempSync(join(root, 'd-'));
  const reopen = () => LocalVolumeDriver.open({ dir: join(dir, 'volumes'), runDir: join(dir, 'run') });
  const checks = volumeDriverContract(reopen, { reopen, honorsSignals: true, ...options });
  registerChecks(title, checks, { describe, it: (name: string, body: () => Promise<void>) => it(name, body) });
  it(`leaves nothing of ${title}`, () => {
    assert.deepEqual(readdirSync(join(dir, 'volumes')).sort(), ['.staging', '.trash']);
    assert.deepEqual(
      readMountInfo().filter((one) => one.mountPoint.startsWith(dir)),
      [],
    );
  });
}

describe('the contract of volume drivers holds', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  local('the local driver', {});
  // What is in memory goes with its last holder.
  local('local volumes in memory', {
    createOptions: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' },
    keepsData: false,
  });
  local('local volumes that a process mounts', { createOptions: { type: 'ramfs', device: 'ramfs' }, keepsData: false });
});
