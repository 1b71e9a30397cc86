import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { applyLayer, decompress, type LayerTarget } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks, smithArchive, smithEntry, smithHeader, smithLong, smithPax } from '#support/tarsmith.js';
import { snapshotTree } from '#support/tree.js';

interface Scene {
  readonly dir: string;
  /** What no layer may touch: beside the targets, where `..` leads. */
  readonly victim: string;
  readonly targets: readonly LayerTarget[];
}

function makeScene(): Scene {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-archive-'));
  const victim = join(dir, 'victim');
  mkdirSync(victim);
  writeFileSync(join(victim, 'secret'), 'secret');
  mkdirSync(join(victim, 'sub'));
  writeFileSync(join(victim, 'sub/file'), 'file');
  const lower = join(dir, 'lower');
  for (const path of [lower, join(dir, 'upper'), join(dir, 'full')]) mkdirSync(path);
  for (const path of [lower, join(dir, 'full')]) {
    symlinkSync(victim, join(path, 'lowlink'));
    mkdirSync(join(path, 'lowdir'));
    writeFileSync(join(path, 'lowdir/file'), 'low');
  }
  return {
    dir,
    victim,
    targets: [
      { path: join(dir, 'upper'), whiteouts: 'overlay', lowerPaths: [lower] },
      { path: join(dir, 'full'), whiteouts: 'apply', lowerPaths: [] },
    ],
  };
}

/** Applies the layer to both kinds of targets; the victim must stay as it is, whatever comes out. */
async function attack(name: string, parts: readonly Uint8Array[], expected: 'refused' | 'harmless'): Promise<void> {
  const scene = makeScene();
  try {
    const before = snapshotTree(scene.victim);
    const lowerBefore = snapshotTree(join(scene.dir, 'lower'));
    for (const target of scene.targets) {
      const what = `${name} (${target.whiteouts})`;
      let failure: unknown;
      try {
        await applyLayer(inChunks(smithArchive(...parts)), target);
      } catch (error) {
        failure = error;
      }
      assert.deepEqual(snapshotTree(scene.victim), before, `${what}: the victim changed`);
      assert.deepEqual(snapshotTree(join(scene.dir, 'lower')), lowerBefore, `${what}: the lower layer changed`);
      assert.deepEqual(readdirSync(scene.dir).sort(), ['full', 'lower', 'upper', 'victim'], what);
      if (expected === 'harmless') assert.equal(failure, undefined, what);
      else assert.ok(EngineError.is(failure, 'DATA_LOSS'), `${what}: ${failure}`);
    }
  } finally {
    // Node removes recursively, and the deepest tree here is deeper than its stack may be.
    execFileSync('rm', ['-rf', scene.dir]);
  }
}

const file = (path: string, data = 'evil') => smithEntry({ path }, data);
const link = (path: string, linkPath: string) => smithHeader({ path, type: '2', linkPath });
const hard = (path: string, linkPath: string) => smithHeader({ path, type: '1', linkPath });
const dir = (path: string, mode = 0o777) => smithHeader({ path, type: '5', mode });

test('paths that leave the root are refused, absolute ones stay inside', async () => {
  for (const path of ['../victim/secret', 'a/../../victim/secret', '/../victim/x', '..', './..', 'lowdir/../../x']) {
    await attack(`file ${path}`, [file(path)], 'refused');
    await attack(`directory ${path}`, [dir(path)], 'refused');
    await attack(`long name ${path}`, [smithLong('L', path), file('x')], 'refused');
    await attack(`PAX path ${path}`, [smithPax([['path', path]]), file('x')], 'refused');
  }
  await attack('absolute', [file('/etc/passwd-not-the-hosts'), file('//x'), file('/./a/b/../c')], 'harmless');
  await attack('drive', [file('c:/x'), file('c:..\\..\\x'), file('a\\..\\..\\b')], 'harmless');
});

test('nothing is written through symbolic links that leave the root', async () => {
  for (const to of [
    '../victim',
    '../../../../../../../../victim',
    '/',
    '..',
    '/proc/self/root',
    '../upper/../victim',
  ]) {
    await attack(
      `through ${to}`,
      [link('l', to), file('l/secret'), file('l/sub/file'), dir('l/sub'), dir('l/new')],
      'harmless',
    );
    await attack(
      `two steps ${to}`,
      [link('l', to), link('m', 'l/victim'), file('m/secret'), link('m/x', '/')],
      'harmless',
    );
    await attack(`onto ${to}`, [link('l', to), file('l')], 'harmless');
    await attack(`directory onto ${to}`, [link('l', to), dir('l'), file('l/secret')], 'harmless');
    await attack(
      `whiteouts ${to}`,
      [link('l', to), file('l/.wh.secret'), file('l/sub/.wh..wh..opq'), file('.wh.l')],
      'harmless',
    );
  }
  await attack(
    'link of the lower layer',
    [file('lowlink/secret'), file('lowlink/sub/.wh.file'), dir('lowlink/sub')],
    'harmless',
  );
  await attack(
    'metadata of a link',
    [
      link('l', '../victim/secret'),
      hard('h', 'l'),
      smithHeader({ path: 'l', type: '2', linkPath: '/etc/passwd', mode: 0o777, uid: 55 }),
    ],
    'harmless',
  );
  await attack('onto the root', [link('.', '../victim')], 'refused');
  await attack('root as file', [file('./', 'x').subarray(0, 0), smithHeader({ path: '/.', type: '0' })], 'refused');
  await attack('a loop', [link('a', 'b'), link('b', 'a'), file('a/x')], 'refused');
  await attack('into a file', [file('f'), file('f/x')], 'refused');
});

test('hard links lead to files of the image only', async () => {
  const { dir: base, victim } = makeScene();
  rmSync(base, { recursive: true });
  for (const to of [
    '../victim/secret',
    '/../victim/secret',
    '..',
    '/',
    'missing',
    'lowdir',
    `${victim}/secret`,
    '/proc/1/environ',
  ]) {
    await attack(`hard link to ${to}`, [hard('h', to)], 'refused');
  }
  await attack('through a link', [link('l', '../victim'), hard('h', 'l/secret')], 'refused');
  await attack(
    'through a chain',
    [link('a', 'b'), link('b', '../victim'), hard('h', 'a/secret'), file('h')],
    'refused',
  );
  await attack('through a lower link', [hard('h', 'lowlink/secret'), file('h')], 'refused');
  // The link itself is linked, so the file goes over the link, not over what it leads to.
  await attack('to a link', [link('l', '../victim/secret'), hard('h', 'l'), file('h'), file('l')], 'harmless');
  await attack('to itself', [file('f'), hard('f', 'f')], 'harmless');
});

test('whiteouts with bad names and forged ones are refused', async () => {
  for (const path of [
    '.wh.',
    '.wh..',
    '.wh...',
    'lowdir/.wh.',
    'lowdir/.wh..',
    'lowdir/.wh...',
    '.wh.../x',
    '.wh.lowdir/x',
    '.wh./x',
  ]) {
    await attack(path, [file(path)], 'refused');
  }
  await attack('directory', [dir('.wh.lowdir')], 'refused');
  await attack('device', [smithHeader({ path: 'lowdir', type: '3', devMajor: 0, devMinor: 0 })], 'refused');
  for (const name of [
    'trusted.overlay.opaque',
    'trusted.overlay.redirect',
    'user.overlay.opaque',
    'trusted.overlay.metacopy',
    'trusted.overlay.overlay.opaque',
  ]) {
    await attack(name, [smithPax([[`SCHILY.xattr.${name}`, 'y']]), dir('lowdir')], 'refused');
    await attack(name, [smithPax([[`LIBARCHIVE.xattr.${name}`, 'eQ==']]), dir('lowdir')], 'refused');
    await attack(name, [smithPax([[`SCHILY.xattr.${name}`, 'y']], 'g'), dir('lowdir')], 'refused');
  }
  await attack('opaque root', [file('.wh..wh..opq')], 'harmless');
  await attack('aufs', [file('.wh..wh.aufs'), dir('.wh..wh.plnk'), file('.wh..wh.plnk/1.2')], 'harmless');
});

test('foreign bytes: NUL, huge names, deep trees', async () => {
  await attack('NUL', [smithPax([['path', 'a\0b']]), file('x')], 'refused');
  await attack('long component', [smithPax([['path', 'n'.repeat(300)]]), file('x')], 'refused');
  await attack('long path', [smithPax([['path', 'n/'.repeat(2047)]]), file('x')], 'refused');
  await attack('xattr name', [smithPax([['SCHILY.xattr.nonsense', 'x']]), file('x')], 'harmless');
  await attack('xattr value', [smithPax([['SCHILY.xattr.security.capability', 'x']]), file('x')], 'refused');
  await attack(
    'device number',
    [smithHeader({ path: 'x', type: '3', devMajor: 0o7777777, devMinor: 0o7777777 })],
    'refused',
  );
});

test('limits stop a layer', async () => {
  const scene = makeScene();
  try {
    const target = scene.targets[0] as LayerTarget;
    const many = Array.from({ length: 20 }, (_, i) => file(`f${i}`, 'x'.repeat(100)));
    for (const limits of [{ maxEntries: 19 }, { maxBytes: 1999 }]) {
      await assert.rejects(applyLayer(inChunks(smithArchive(...many)), target, { limits }), (error: unknown) =>
        EngineError.is(error, 'RESOURCE_EXHAUSTED', 'LAYER_TOO_LARGE'),
      );
    }
    const result = await applyLayer(inChunks(smithArchive(...many)), target, {
      limits: { maxEntries: 20, maxBytes: 2000 },
    });
    assert.deepEqual(result, { bytes: 2000, entries: 20 });
    const huge = smithHeader({ path: 'huge', size: 0o77777777777 });
    await assert.rejects(applyLayer(inChunks(huge), target, { limits: { maxBytes: 1 << 20 } }), /maxBytes/);
  } finally {
    rmSync(scene.dir, { recursive: true });
  }
});

test('a broken or aborted layer leaves no descriptor open', async () => {
  const scene = makeScene();
  try {
    const target = scene.targets[1] as LayerTarget;
    const truncated = smithEntry({ path: 'x', size: 5000 }, 'abc');
    const count = () => readdirSync('/proc/self/fd').length;
    await assert.rejects(applyLayer(inChunks(truncated), target));
    const before = count();
    for (let i = 0; i < 200; i++) await assert.rejects(applyLayer(inChunks(truncated), target));
    const abort = new AbortController();
    const source = async function* () {
      yield truncated.subarray(0, 600);
      abort.abort();
      yield truncated.subarray(600);
    };
    await assert.rejects(applyLayer(source(), target, { signal: abort.signal }), (error: unknown) =>
      EngineError.is(error, 'CANCELED'),
    );
    assert.equal(count(), before);
  } finally {
    rmSync(scene.dir, { recursive: true });
  }
});

test('a gzip bomb is stopped by its ratio, and a limit on the output holds', async () => {
  const member = gzipSync(Buffer.alloc(8 << 20));
  const bomb = async function* () {
    for (let i = 0; i < 64; i++) yield member;
  };
  const drain = async (limits: object): Promise<number> => {
    let total = 0;
    for await (const chunk of decompress(bomb(), 'gzip', limits)) total += chunk.length;
    return total;
  };
  await assert.rejects(drain({ ratioFromBytes: 32 << 20 }), /maxRatio/);
  await assert.rejects(drain({ maxOutputBytes: 32 << 20 }), /maxOutputBytes/);
  assert.equal(await drain({}), 512 << 20);
});

test('the lower layer and others keep their files when the layer writes over hard links', async () => {
  const scene = makeScene();
  try {
    const full = scene.targets[1] as LayerTarget;
    await applyLayer(inChunks(smithArchive(file('one', '1'), hard('two', 'one'))), full);
    await applyLayer(inChunks(smithArchive(file('two', 'changed'))), full);
    assert.equal(readFileSync(join(full.path, 'one'), 'utf8'), '1');
    assert.equal(lstatSync(join(full.path, 'one')).nlink, 1);
  } finally {
    rmSync(scene.dir, { recursive: true });
  }
});
