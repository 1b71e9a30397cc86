import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { parseBind, parseVolumesFrom, validateContainerOptions } from '#src/spec/index.js';

const host = { type: 'bind', source: '/h', target: '/c', createSource: true };
const volume = { type: 'volume', source: 'data', target: '/c' };

const GOOD: Record<string, object> = {
  '/c': { type: 'volume', target: '/c' },
  '/h:/c': host,
  '/h:/c:': host,
  '/h:/c:ro': { ...host, readOnly: true },
  '/h:/c:rw,z,rslave,cached': { ...host, propagation: 'rslave' },
  '/h:/c:bind-nonrecursive,Z,private,delegated': { ...host, propagation: 'private', nonRecursive: true },
  'data:/c': volume,
  'data:/c:copy,rw,z': volume,
  'data:/c:nocopy,ro,consistent': { ...volume, noCopy: true, readOnly: true },
  // A path may be called like a mode where it can be nothing else.
  '/ro:/rw': { ...host, source: '/ro', target: '/rw' },
};

const BAD: Record<string, string> = {
  '': 'BAD_MOUNT_SOURCE',
  ':/c': 'BAD_MOUNT_SOURCE',
  '/h:': 'BAD_MOUNT_SOURCE',
  '/h::ro': 'BAD_MOUNT_SOURCE',
  '/h:/c:ro:x': 'BAD_MOUNT_SOURCE',
  '/c:ro': 'BAD_MOUNT_SOURCE',
  '/c:ro,z': 'BAD_MOUNT_SOURCE',
  'data:nocopy': 'BAD_MOUNT_SOURCE',
  '../h:/c': 'BAD_MOUNT_SOURCE',
  'a/b:/c': 'BAD_MOUNT_SOURCE',
  '-data:/c': 'BAD_MOUNT_SOURCE',
  '/h:/c:ro,': 'BAD_MOUNT_OPTION',
  '/h:/c:rO': 'BAD_MOUNT_OPTION',
  '/h:/c:ro,rw': 'BAD_MOUNT_OPTION',
  '/h:/c:ro,ro': 'BAD_MOUNT_OPTION',
  '/h:/c:z,Z': 'BAD_MOUNT_OPTION',
  '/h:/c:shared,rshared': 'BAD_MOUNT_OPTION',
  '/h:/c:cached,delegated': 'BAD_MOUNT_OPTION',
  'data:/c:copy,nocopy': 'BAD_MOUNT_OPTION',
  '/h:/c:nocopy': 'BAD_MOUNT_OPTION',
  'data:/c:rshared': 'BAD_MOUNT_OPTION',
  'data:/c:bind-nonrecursive': 'BAD_MOUNT_OPTION',
  '/h:/c:ro,upperdir=/x': 'BAD_MOUNT_OPTION',
};

describe("Docker's bind strings", () => {
  for (const [text, expected] of Object.entries(GOOD)) {
    it(`${JSON.stringify(text)} is read`, () => assert.deepEqual(parseBind('binds[0]', text), expected));
  }
  for (const [text, reason] of Object.entries(BAD)) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(
        () => parseBind('binds[0]', text),
        (error) => EngineError.is(error, 'INVALID_ARGUMENT', reason) && error.message.includes('binds[0]'),
      );
    });
  }
  it('a target alone must be a path', () => {
    assert.throws(() => validateContainerOptions({ image: 'a', binds: ['data'] }), { reason: 'BAD_MOUNT_TARGET' });
  });
});

describe('volumesFrom', () => {
  it('takes a container and a mode', () => {
    assert.deepEqual(parseVolumesFrom('f', 'web'), { container: 'web', readOnly: false });
    assert.deepEqual(parseVolumesFrom('f', 'web:rw'), { container: 'web', readOnly: false });
    assert.deepEqual(parseVolumesFrom('f', 'web:ro,z'), { container: 'web', readOnly: true });
  });
  for (const text of ['', ':ro', 'web:', 'web:nocopy', 'web:rshared', 'web:ro,rw', 'web:ro,ro', 'web:z,Z', '../x', 5]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => validateContainerOptions({ image: 'a', volumesFrom: [text] }), {
        reason: 'BAD_VOLUMES_FROM',
      });
    });
  }
});

describe('volume mounts', () => {
  const check = (mount: object) =>
    validateContainerOptions({ image: 'a', mounts: [{ type: 'volume', target: '/v', ...mount }] });
  it('keep labels and options of any name', () => {
    const odd = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const [mount] = check({ source: 'd', labels: odd, driverOptions: odd, driver: 'org/x:latest' })
      .mounts as unknown as [{ labels: object; driverOptions: object }];
    assert.deepEqual(Object.entries(mount.labels), Object.entries(odd));
    assert.deepEqual(Object.entries(mount.driverOptions), Object.entries(odd));
  });
  it('have their subpath in normal form', () => {
    const [mount] = check({ source: 'd', subpath: './a//b/' }).mounts as unknown as [{ subpath: string }];
    assert.equal(mount.subpath, 'a/b');
  });
  for (const subpath of ['', '.', './', '/a', '..', 'a/../../b', 'a/..', 'a\0b', 7]) {
    it(`refuse the subpath ${JSON.stringify(subpath)}`, () =>
      assert.throws(() => check({ source: 'd', subpath }), { reason: 'BAD_SUBPATH' }));
  }
  it('refuse a subpath without a name, propagation, and drivers that are none', () => {
    assert.throws(() => check({ subpath: 'a' }), { reason: 'BAD_SUBPATH' });
    assert.throws(() => check({ source: 'd', propagation: 'rshared' }), { reason: 'UNKNOWN_OPTION' });
    assert.throws(() => check({ source: 'd', driver: '../x y' }), { reason: 'BAD_MOUNT_OPTION' });
    assert.throws(() => check({ source: 'd', labels: { '': 'x' } }), { reason: 'BAD_LABEL' });
    assert.throws(() => validateContainerOptions({ image: 'a', volumeDriver: 'a b' }), { reason: 'BAD_MOUNT_OPTION' });
  });
});
