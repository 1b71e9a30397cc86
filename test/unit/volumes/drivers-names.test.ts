import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertDriverName, driverKey, sameDriver } from '#src/volumes/drivers/index.js';
import { saysExists, saysNoSuchVolume, saysNotMounted } from '#src/volumes/drivers/plugin-words.js';
import { throwsReason } from '#support/throws-reason.js';

describe('names of drivers', () => {
  it('are one with and without the tag latest, and in their long form', () => {
    const same = ['org/x', 'org/x:latest', 'docker.io/org/x', 'docker.io/org/x:latest', 'index.docker.io/org/x'];
    for (const name of same) assert.ok(sameDriver(name, 'org/x'), name);
    assert.ok(sameDriver('x:latest', 'docker.io/library/x'));
    for (const other of ['org/x:v2', 'org/x:latest2', 'x', 'org/y', 'host:5000/org/x', 'org/x.latest']) {
      assert.ok(!sameDriver(other, 'org/x'), other);
    }
    assert.equal(driverKey('docker.io/'), 'docker.io/');
  });

  it('are refused when they could lead anywhere as a path', () => {
    for (const name of ['x', 'x:latest', 'org/x', 'a.b:5000/org/x:v1.2', 'f'.repeat(64)]) {
      assert.doesNotThrow(() => assertDriverName('driver', name), name);
    }
    const bad = [
      '',
      '.',
      '..',
      '../x',
      'a/../b',
      'a//b',
      '/a',
      'a/',
      '-x',
      'a b',
      'a\0',
      'a:',
      ':a',
      'a:b:c',
      'x@sha256:0',
    ];
    for (const name of [...bad, 'é', 'x'.repeat(300), 5, null, undefined, {}]) {
      throwsReason(() => assertDriverName('driver', name), 'BAD_DRIVER_NAME', 'driver');
    }
  });
});

describe('what plugins say', () => {
  it('is taken for a missing volume only when it says that of the volume', () => {
    const missing = [
      'no such volume',
      'Error: No such volume: data',
      'get data: no such volume',
      'volume not found',
      'volume not found: data',
      'no such volume: data',
      'Volume "data" not found',
      'volume data does not exist',
      "volume 'data' doesn't exist",
      'Volume with name data not found',
      'No volume found with the name data',
      "couldn't find volume data",
      'Unable to find volume with name data',
      'data: not found',
      'data not found.',
      'unknown volume data',
    ];
    for (const words of missing) assert.ok(saysNoSuchVolume(words, 'data'), words);
    const failures = [
      'internal server error',
      'volume group "vg0" not found',
      'mount.nfs: not found',
      'exec: "mkfs.xfs": executable file not found in $PATH',
      'host not found',
      'getaddrinfo ENOTFOUND storage',
      'volume plugin not found',
      'volume data: backend not found',
      'data: open /etc/key: no such file or directory',
      // How servers answer a method that they lack.
      'Not Found',
      'page not found',
      '404 page not found',
      'bucket for volume data not found',
      'volume data not found in the cache, and the server can not be reached',
      'no such volume group',
      'unknown error',
      'error: unknown',
      'database not found',
      'my-data not found',
      '',
    ];
    for (const words of failures) assert.ok(!saysNoSuchVolume(words, 'data'), words);
  });

  it('is understood for volumes whose name is a word of it', () => {
    for (const name of ['volume', 'no', 'such', 'found', 'a', 'x.y', 'A']) {
      assert.ok(saysNoSuchVolume('no such volume', name), name);
      assert.ok(saysNoSuchVolume(`volume ${name} not found`, name), name);
      assert.ok(!saysNoSuchVolume('the storage has a problem', name), name);
    }
    assert.ok(!saysNoSuchVolume('volume x0y not found', 'x.y'));
  });

  it('tells what exists, and what is not mounted', () => {
    for (const words of ['volume data already exists', 'Duplicate name', 'name is in use'])
      assert.ok(saysExists(words), words);
    for (const words of ['no space left', 'does not exist', 'device in use by another host']) {
      assert.ok(!saysExists(words), words);
    }
    for (const words of [
      'volume x is not mounted as y',
      'already unmounted',
      'not currently mounted',
      'mountpoint not found',
    ]) {
      assert.ok(saysNotMounted(words), words);
    }
    for (const words of ['device busy', 'could not unmount', 'volume is mounted elsewhere']) {
      assert.ok(!saysNotMounted(words), words);
    }
  });
});
