import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { resolveConfig } from '#src/config/index.js';
import { EngineError, type ErrorCode } from '#src/errors/index.js';
import { tempDir } from '#support/roots.js';

type Given = Parameters<typeof resolveConfig>[0];

function assertRefused(options: unknown, reason: string, words: RegExp, code: ErrorCode = 'INVALID_ARGUMENT'): void {
  assert.throws(
    () => resolveConfig(options as Given),
    (error: unknown) => {
      assert.ok(EngineError.is(error, code, reason), String(error));
      assert.match(error.message, words);
      return true;
    },
  );
}

describe('resolveConfig', () => {
  it('fills in defaults', () => {
    const config = resolveConfig();
    assert.equal(config.root, '/var/lib/caisson');
    assert.match(config.runDir, /^\/run\/caisson\/[0-9a-f]{12}$/);
    assert.equal(config.tempDir, '/var/lib/caisson/tmp');
    assert.equal(config.snapshotter, 'auto');
    assert.equal(config.defaultRuntime, 'auto');
    assert.equal(config.supervisor, 'auto');
    assert.equal(config.defaultStopTimeoutMs, 10_000);
    assert.equal(config.defaultShmSizeBytes, 64 << 20);
    assert.equal(config.maxCollectedOutputBytes, 64 << 20);
    assert.equal(config.defaultSeccomp, 'default');
    assert.deepEqual(config.warnings, []);
  });

  it('is frozen all the way down and does not share the caller’s objects', () => {
    const labels: Record<string, string> = { a: '1' };
    const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['read'] }] };
    const config = resolveConfig({
      labels,
      defaultSeccomp: profile,
      runtimes: { mine: { path: '/opt/mine' } },
      defaultUlimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    });
    const queue: unknown[] = [config];
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      if (typeof item !== 'object' || item === null) continue;
      assert.ok(Object.isFrozen(item), JSON.stringify(item));
      queue.push(...Object.values(item));
    }
    labels['a'] = '2';
    profile.syscalls.pop();
    assert.equal(config.labels['a'], '1');
    assert.deepEqual((config.defaultSeccomp as typeof profile).syscalls, [{ names: ['read'] }]);
  });

  it('keeps __proto__ as a label like any other', () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const config = resolveConfig({ labels });
    assert.deepEqual(Object.entries(config.labels), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    assert.equal(Object.getPrototypeOf(config.labels), null);
  });

  it('gives two names of one root one run dir, and two roots two', (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'real'));
    symlinkSync('real', join(dir, 'link'));
    const real = resolveConfig({ root: join(dir, 'real/state') });
    const link = resolveConfig({ root: join(dir, 'link//state/') });
    assert.equal(link.root, real.root);
    assert.equal(link.runDir, real.runDir);
    assert.notEqual(resolveConfig({ root: join(dir, 'other') }).runDir, real.runDir);
  });

  it('takes paths with spaces, colons and line feeds as they are', () => {
    assert.equal(resolveConfig({ root: '/tmp/a b:c,d\ne' }).root, '/tmp/a b:c,d\ne');
  });

  it('treats undefined as not given', () => {
    assert.equal(resolveConfig({ mtu: undefined } as unknown as Given).mtu, 1500);
  });

  it('accepts a runtime of the host as the default', () => {
    const config = resolveConfig({ defaultRuntime: 'mine', runtimes: { mine: 'my-runc', runc: '/opt/runc' } });
    assert.equal(config.defaultRuntime, 'mine');
    assert.deepEqual({ ...config.runtimes['mine'] }, { path: 'my-runc', root: undefined });
    assert.equal(config.runtimes['runc']?.path, '/opt/runc');
  });

  const refused: [unknown, string, RegExp][] = [
    [{ rot: '/x' }, 'UNKNOWN_OPTION', /"rot"/],
    [JSON.parse('{"__proto__":1}'), 'UNKNOWN_OPTION', /"__proto__"/],
    [null, 'BAD_OPTION', /null is not an object/],
    [[], 'BAD_OPTION', /is not an object/],
    [{ root: 'state' }, 'BAD_OPTION', /root "state" is not an absolute path/],
    [{ root: '' }, 'BAD_OPTION', /root ""/],
    [{ root: '/a/../b' }, 'BAD_OPTION', /"\.\."/],
    [{ root: '/a\0b' }, 'BAD_OPTION', /NUL/],
    [{ root: '/' }, 'BAD_OPTION', /no place/],
    [{ root: '/proc/x' }, 'BAD_OPTION', /no place/],
    [{ root: '/x', runDir: '/x' }, 'CONFLICTING_OPTIONS', /"\/x"/],
    [{ root: '/run/x/y', runDir: '/run/x' }, 'CONFLICTING_OPTIONS', /reboot/],
    [{ snapshotter: 'zfs' }, 'BAD_OPTION', /snapshotter "zfs".*overlay, vfs, auto/],
    [{ supervisor: 'systemd' }, 'BAD_OPTION', /conmon, shim/],
    [{ defaultRuntime: 'kata' }, 'BAD_OPTION', /defaultRuntime "kata"/],
    [{ runtimes: { '../x': '/bin/x' } }, 'BAD_OPTION', /"\.\.\/x"/],
    [{ runtimes: { auto: '/bin/x' } }, 'BAD_OPTION', /"auto"/],
    [{ runtimes: { x: 'rel/path' } }, 'BAD_OPTION', /runtimes\.x "rel\/path"/],
    [{ runtimes: { x: { path: '/x', args: [] } } }, 'UNKNOWN_OPTION', /runtimes\.x has no "args"/],
    [{ mtu: 67 }, 'BAD_OPTION', /mtu 67.*68 to 65535/],
    [{ mtu: '1500' }, 'BAD_OPTION', /mtu "1500"/],
    [{ supervisorOomScoreAdj: -1001 }, 'BAD_OPTION', /-1000 to 1000/],
    [{ defaultStopTimeoutMs: -1 }, 'BAD_OPTION', /defaultStopTimeoutMs -1/],
    [{ defaultStopTimeoutMs: Number.NaN }, 'BAD_OPTION', /whole number/],
    [{ defaultShmSizeBytes: 0 }, 'BAD_OPTION', /defaultShmSizeBytes 0/],
    [{ defaultShmSizeBytes: 2 ** 60 }, 'BAD_OPTION', /whole number/],
    [{ maxCollectedOutputBytes: 1.5 }, 'BAD_OPTION', /1\.5/],
    [{ cgroupParent: 'x.slice' }, 'BAD_OPTION', /absolute/],
    [{ cgroupParent: '/' }, 'BAD_OPTION', /root of the cgroup tree/],
    [{ labels: { a: 1 } }, 'BAD_OPTION', /labels\["a"\] 1 is not a string/],
    [{ labels: { '': 'x' } }, 'BAD_OPTION', /empty label key/],
    [{ defaultUlimits: [{ name: 'files', soft: 1, hard: 1 }] }, 'BAD_OPTION', /defaultUlimits\[0\]\.name "files"/],
    [{ defaultUlimits: [{ name: 'nofile', soft: 2, hard: 1 }] }, 'BAD_ULIMIT', /above the hard/],
    [{ defaultUlimits: [{ name: 'nofile', soft: -1, hard: 1 }] }, 'BAD_ULIMIT', /above the hard/],
    [
      {
        defaultUlimits: [
          { name: 'core', soft: 0, hard: 0 },
          { name: 'core', soft: 1, hard: 1 },
        ],
      },
      'BAD_OPTION',
      /"core" is given twice/,
    ],
    [{ defaultSeccomp: 'strict' }, 'BAD_OPTION', /defaultSeccomp "strict"/],
    [{ idMaps: { user: '' } }, 'BAD_OPTION', /idMaps\.user/],
  ];
  for (const [options, reason, words] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => assertRefused(options, reason, words));
  }

  it('says which options are not built yet', () => {
    assertRefused({ networkDrivers: [{}] }, 'NOT_BUILT_YET', /networkDrivers/, 'NOT_IMPLEMENTED');
    assert.doesNotThrow(() => resolveConfig({ networkDrivers: [], logDrivers: [] }));
  });

  it('takes directories of plugins, and leaves the objects of drivers alone', () => {
    const driver = { name: 'mine' } as never;
    const config = resolveConfig({ volumeDrivers: [driver], pluginSocketDirs: ['/run/x/'], pluginSpecDirs: [] });
    assert.deepEqual(config.pluginSocketDirs, ['/run/x']);
    assert.deepEqual(config.pluginSpecDirs, []);
    assert.equal(resolveConfig().pluginSocketDirs, undefined);
    assert.equal(Object.isFrozen(driver), false);
    assertRefused({ volumeDrivers: driver }, 'BAD_OPTION', /volumeDrivers/);
    assertRefused({ pluginSocketDirs: '/run/x' }, 'BAD_OPTION', /pluginSocketDirs/);
    assertRefused({ pluginSpecDirs: ['x'] }, 'BAD_OPTION', /pluginSpecDirs\[0\]/);
  });

  it('refuses a profile that is not JSON data', () => {
    const profile: Record<string, unknown> = {};
    profile['self'] = profile;
    assertRefused({ defaultSeccomp: profile }, 'BAD_OPTION', /plain JSON/);
  });
});
