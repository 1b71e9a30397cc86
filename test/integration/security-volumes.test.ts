import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { copyOnFirstUse } from '#src/containers/volumes/first-use-copy.js';
import { bindSubpath, unbindSubpaths } from '#src/containers/volumes/subpath-mounts.js';
import { EngineError } from '#src/errors/index.js';
import { copyTree, removeBeneath } from '#src/os/index.js';
import type { VolumeMountPoint } from '#src/spec/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';

const RACE_MS = 1_500;

/** renameat2(RENAME_EXCHANGE) of two entries as fast as it goes, as a container could do it; links are made anew where the race eats them. */
async function whileExchanging(t: TestContext, dir: string, pairs: [string, string][], work: () => Promise<void>) {
  const perl = requireBinary(t, 'perl');
  if (perl === undefined || arch() !== 'x64') return t.skip('missing: perl on x86-64');
  const swaps = pairs.map(([a, b]) => `$a="${a}"; $b="${b}"; syscall(316,-100,$a,-100,$b,2);`).join(' ');
  const racer: ChildProcess = spawn(perl, ['-e', `chdir shift; while(1) { ${swaps} }`, dir], { stdio: 'ignore' });
  const raced = once(racer, 'exit');
  try {
    await work();
  } finally {
    racer.kill('SIGKILL');
    await raced;
  }
}

function victim(dir: string): { path: string; assertUntouched: () => void } {
  const path = join(dir, 'victim');
  mkdirSync(path);
  writeFileSync(join(path, 'secret'), 'SECRET', { mode: 0o600 });
  const look = () => {
    const { mode, uid, mtimeMs, ctimeMs } = lstatSync(path);
    return { names: readdirSync(path), mode, uid, mtimeMs, ctimeMs, secret: lstatSync(join(path, 'secret')).ctimeMs };
  };
  const before = look();
  return { path, assertUntouched: () => assert.deepEqual(look(), before) };
}

function mountsUnder(dir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(dir));
}

test('a subpath whose directories are exchanged for links is never bound outside the volume', async (t) => {
  if (!requireRoot(t)) return;
  const dir = tempDir(t, 'subpath');
  const { path } = victim(dir);
  const volume = join(dir, 'volume');
  mkdirSync(join(volume, 'a/sub'), { recursive: true });
  mkdirSync(join(path, 'sub'));
  writeFileSync(join(volume, 'a/sub/inside'), '');
  symlinkSync(path, join(volume, 'evil'));
  const before = victimLook(path);
  const mount = { field: 'mounts[0]', name: 'vol', subpath: 'a/sub' } as VolumeMountPoint;
  const seen = new Set<string>();
  await whileExchanging(t, volume, [['a', 'evil']], async () => {
    const endsAt = Date.now() + RACE_MS;
    for (let n = 0; Date.now() < endsAt; n++) {
      const own = join(dir, `c${n}`);
      mkdirSync(own);
      try {
        const place = bindSubpath(own, volume, mount);
        seen.add(readdirSync(place).join());
      } catch (error) {
        assert.ok(EngineError.is(error), String(error));
        seen.add(error.reason);
      } finally {
        unbindSubpaths(own);
        rmSync(own, { recursive: true });
      }
      if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
  if (seen.size === 0) return;
  assert.deepEqual([...seen].sort(), ['SYMLINK_REFUSED', 'inside']);
  assert.deepEqual(victimLook(path), before);
  assert.deepEqual(mountsUnder(dir), []);
});

function victimLook(path: string): unknown {
  return readdirSync(path, { recursive: true }).map((name) => [name, lstatSync(join(path, name as string)).ctimeMs]);
}

test('a bound subpath stays what it was when its directories are exchanged afterwards', async (t) => {
  if (!requireRoot(t)) return;
  const dir = tempDir(t, 'subpath');
  const volume = join(dir, 'volume');
  mkdirSync(join(volume, 'a/sub'), { recursive: true });
  writeFileSync(join(volume, 'a/sub/inside'), '');
  writeFileSync(join(volume, 'a/file'), 'text');
  const own = join(dir, 'own');
  const of = (subpath: string) => ({ field: 'mounts[0]', name: 'vol', subpath }) as VolumeMountPoint;
  mkdirSync(own);
  try {
    const place = bindSubpath(own, volume, of('a/sub'));
    const file = bindSubpath(own, volume, of('a/file'));
    assert.notEqual(place, file);
    rmSync(join(volume, 'a/file'));
    symlinkSync('/etc', join(volume, 'evil'));
    assert.deepEqual(readdirSync(place), ['inside']);
    assert.equal(readFileSync(file, 'utf8'), 'text');
    assert.throws(() => bindSubpath(own, volume, of('nothing/here')), { reason: 'SUBPATH_NOT_FOUND' });
    assert.throws(() => bindSubpath(own, volume, of('a/sub/inside/x')), { reason: 'SUBPATH_NOT_FOUND' });
    assert.throws(() => bindSubpath(own, volume, of('evil')), { reason: 'SYMLINK_REFUSED' });
    assert.throws(() => bindSubpath(own, volume, of('evil/passwd')), { reason: 'SYMLINK_REFUSED' });
  } finally {
    unbindSubpaths(own);
  }
  unbindSubpaths(own);
  assert.deepEqual(mountsUnder(dir), []);
  assert.ok(existsSync(join(volume, 'a/sub/inside')));
});

test('a copy into a volume in which somebody exchanges directories for links never leaves it', async (t) => {
  if (!requireRoot(t)) return;
  const dir = tempDir(t, 'copy-race');
  const { path, assertUntouched } = victim(dir);
  const rootfs = join(dir, 'rootfs');
  for (let n = 0; n < 40; n++) {
    mkdirSync(join(rootfs, 'data/d/e'), { recursive: true });
    writeFileSync(join(rootfs, `data/d/e/${n}`), 'x', { mode: 0o777 });
    writeFileSync(join(rootfs, 'data/d/secret'), 'overwritten', { mode: 0o777 });
  }
  const volume = join(dir, 'volume');
  const outcomes = new Set<string>();
  mkdirSync(volume);
  const inside = '.caisson-copying';
  symlinkSync(path, join(dir, 'evil'));
  const pairs: [string, string][] = [
    [`volume/${inside}/d`, 'evil'],
    [`volume/${inside}`, 'evil'],
  ];
  await whileExchanging(t, dir, pairs, async () => {
    const endsAt = Date.now() + RACE_MS * 2;
    while (Date.now() < endsAt) {
      try {
        await copyOnFirstUse({ rootfs, target: '/data', mountpoint: volume, lockPath: join(dir, 'locks/v') });
        outcomes.add('copied');
      } catch {
        outcomes.add('failed');
      }
      // By descriptor: what removes by path would be led into the victim by this very racer.
      const fd = openSync(volume, 'r');
      for (const name of readdirSync(volume)) await removeBeneath(fd, name).catch(() => {});
      closeSync(fd);
    }
  });
  assertUntouched();
  t.diagnostic([...outcomes].join());
});

test('a copy from a tree in which somebody exchanges directories for links reads nothing outside', async (t) => {
  if (!requireRoot(t)) return;
  const dir = tempDir(t, 'copy-race');
  const { path, assertUntouched } = victim(dir);
  const from = join(dir, 'from');
  mkdirSync(join(from, 'sub'), { recursive: true });
  writeFileSync(join(from, 'sub/secret'), 'harmless');
  writeFileSync(join(from, 'file'), 'harmless');
  symlinkSync(path, join(from, 'evil'));
  symlinkSync(join(path, 'secret'), join(from, 'evil-file'));
  let read = 0;
  await whileExchanging(
    t,
    from,
    [
      ['sub', 'evil'],
      ['file', 'evil-file'],
    ],
    async () => {
      const endsAt = Date.now() + RACE_MS;
      for (let n = 0; Date.now() < endsAt; n++) {
        const to = join(dir, `to${n}`);
        mkdirSync(to);
        await copyTree(from, to).catch(() => {});
        for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          assert.equal(readFileSync(join(entry.parentPath, entry.name), 'utf8'), 'harmless');
          read++;
        }
        rmSync(to, { recursive: true });
      }
    },
  );
  assertUntouched();
  t.diagnostic(`${read} files copied`);
});
