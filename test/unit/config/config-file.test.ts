import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { resolveConfig } from '#src/config/index.js';
import { EngineError } from '#src/errors/index.js';
import { tempDir } from '#support/roots.js';

function file(t: TestContext, content: unknown): string {
  const path = join(tempDir(t), 'daemon.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('config file', () => {
  it('takes what Docker’s daemon.json says', (t) => {
    const seccomp = file(t, { defaultAction: 'SCMP_ACT_ERRNO' });
    const configFile = file(t, {
      'data-root': '/srv/state',
      'exec-root': '/run/state',
      'storage-driver': 'overlay2',
      'default-runtime': 'mine',
      runtimes: { mine: { path: '/opt/mine' } },
      'default-shm-size': '1.5G',
      'default-ulimits': { nofile: { Name: 'nofile', Hard: 64000, Soft: 1024 } },
      mtu: 1400,
      'userns-remap': '',
      'cgroup-parent': '/work',
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'init-path': '/sbin/tini',
      'seccomp-profile': seccomp,
      'shutdown-timeout': 20,
      labels: ['a=b=c', '__proto__=x'],
    });
    const config = resolveConfig({ configFile });
    assert.equal(config.root, '/srv/state');
    assert.equal(config.runDir, '/run/state');
    assert.equal(config.snapshotter, 'overlay');
    assert.equal(config.defaultRuntime, 'mine');
    assert.equal(config.runtimes['mine']?.path, '/opt/mine');
    assert.equal(config.defaultShmSizeBytes, 1.5 * 2 ** 30);
    assert.deepEqual(config.defaultUlimits, [{ name: 'nofile', soft: 1024, hard: 64000 }]);
    assert.equal(config.mtu, 1400);
    assert.equal(config.idMaps, undefined);
    assert.equal(config.cgroupParent, '/work');
    assert.equal(config.initPath, '/sbin/tini');
    assert.deepEqual(config.defaultSeccomp, { defaultAction: 'SCMP_ACT_ERRNO' });
    assert.equal(config.closeTimeoutMs, 20_000);
    assert.deepEqual(Object.entries(config.labels), [
      ['a', 'b=c'],
      ['__proto__', 'x'],
    ]);
    assert.deepEqual(config.warnings, []);
  });

  it('lists keys without effect as warnings', (t) => {
    const configFile = file(t, {
      'live-restore': true,
      debug: true,
      runtimes: { mine: { path: '/opt/mine', runtimeArgs: ['--x'] } },
      'exec-opts': ['other=1'],
    });
    const { warnings } = resolveConfig({ configFile });
    assert.equal(warnings.length, 3);
    assert.match(warnings.join('\n'), /"live-restore", "debug"/);
    assert.match(warnings.join('\n'), /"mine": "runtimeArgs"/);
    assert.match(warnings.join('\n'), /"other=1"/);
  });

  it('refuses a setting that is in both places, even with one value', (t) => {
    const configFile = file(t, { mtu: 1400, 'data-root': '/a' });
    assert.throws(
      () => resolveConfig({ configFile, mtu: 1400, root: '/b' }),
      (error: unknown) => {
        assert.ok(EngineError.is(error, 'INVALID_ARGUMENT', 'CONFLICTING_OPTIONS'));
        assert.match(error.message, /mtu \(options: 1400, file: 1400\)/);
        assert.match(error.message, /root \(options: "\/b", file: "\/a"\)/);
        return true;
      },
    );
  });

  const refused: [string, unknown, RegExp][] = [
    ['no JSON', '{"mtu": 1400,}', /is not a JSON object/],
    ['an array', [], /is not a JSON object|is not an object/],
    ['a bad size', { 'default-shm-size': '64 apples' }, /default-shm-size.*"64 apples"/],
    ['a relative root', { 'data-root': 'x' }, /root "x" is not an absolute path/],
    ['systemd cgroups', { 'exec-opts': ['native.cgroupdriver=systemd'] }, /without systemd/],
    ['a label without =', { labels: ['x'] }, /"x" is not key=value/],
    ['a label twice', { labels: ['x=1', 'x=2'] }, /twice/],
    ['a runtime without path', { runtimes: { mine: {} } }, /"mine".*has no path/],
    ['a missing profile', { 'seccomp-profile': '/nonexistent/profile' }, /can't be read \(ENOENT\)/],
    ['remap of three parts', { 'userns-remap': 'a:b:c' }, /user:group/],
    ['a huge time limit', { 'shutdown-timeout': 1e9 }, /whole number/],
  ];
  for (const [what, content, words] of refused) {
    it(`refuses ${what}`, (t) => {
      const configFile = file(t, content);
      assert.throws(
        () => resolveConfig({ configFile }),
        (error: unknown) => EngineError.is(error, 'INVALID_ARGUMENT') && words.test(error.message),
      );
    });
  }

  it('says which file is missing', () => {
    assert.throws(
      () => resolveConfig({ configFile: '/nonexistent/daemon.json' }),
      /"\/nonexistent\/daemon\.json".*ENOENT/,
    );
  });
});
