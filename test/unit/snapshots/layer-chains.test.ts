import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { splitLowerDirs } from '#src/os/index.js';
import { OverlaySnapshotter } from '#src/snapshots/index.js';
import { decodeKey, encodeKey } from '#src/snapshots/names.js';

describe('layers of the overlay snapshotter', () => {
  let dir: string;
  let snapshotter: OverlaySnapshotter;
  const lowers = (mounts: readonly { options: readonly string[] }[]) =>
    splitLowerDirs(mounts[0]?.options.find((option) => option.startsWith('lowerdir='))?.slice(9) ?? '');
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'layer-chains-'));
    snapshotter = OverlaySnapshotter.open({ dir });
    for (const [name, parent] of [['a'], ['b', 'a'], ['c', 'b']] as const) {
      await snapshotter.prepare(`making-${name}`, parent);
      await snapshotter.commit(name, `making-${name}`);
    }
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('names each layer by a short link, top first', async () => {
    const links = lowers(await snapshotter.prepare('x', 'c'));
    assert.deepEqual(
      links.map((link) => readlinkSync(link)),
      ['../committed/c/fs', '../committed/b/fs', '../committed/a/fs'],
    );
    for (const link of links) assert.match(link.slice(dir.length), /^\/l\/[\w-]{8}$/);
  });

  it('makes a lost link again', async () => {
    const [top] = lowers(await snapshotter.prepare('x', 'c'));
    unlinkSync(top as string);
    assert.deepEqual(lowers(await snapshotter.prepare('y', 'c'))[0], top);
    assert.equal(readlinkSync(top as string), '../committed/c/fs');
  });

  it('takes the next link of the series when one leads to another layer', async () => {
    const [top] = lowers(await snapshotter.prepare('x', 'c'));
    unlinkSync(top as string);
    symlinkSync('../committed/a/fs', top as string);
    const [other] = lowers(await OverlaySnapshotter.open({ dir }).prepare('y', 'c'));
    assert.notEqual(other, top);
    assert.equal(readlinkSync(other as string), '../committed/c/fs');
    await snapshotter.remove('x');
  });

  it('removes links with their layers', async () => {
    await snapshotter.prepare('x', 'c');
    await snapshotter.remove('x');
    await snapshotter.remove('c');
    assert.equal(readdirSync(join(dir, 'l')).length, 2);
    symlinkSync('../committed/gone/fs', join(dir, 'l/dangling'));
    await snapshotter.recover();
    assert.equal(readdirSync(join(dir, 'l')).length, 2);
  });

  it('says SNAPSHOT_CORRUPT for records that are none and for chains with a gap', async () => {
    rmSync(join(dir, 'committed/a'), { recursive: true });
    for (const text of ['', '{', 'null', '{"version":2}', '{"version":1,"kind":"active","parent":"../x"}']) {
      writeFileSync(join(dir, 'committed/b/meta.json'), text);
      await assert.rejects(OverlaySnapshotter.open({ dir }).prepare('x', 'b'), (error) =>
        EngineError.is(error, 'DATA_LOSS', 'SNAPSHOT_CORRUPT'),
      );
    }
    await assert.rejects(OverlaySnapshotter.open({ dir }).prepare('x', 'c'), (error) => {
      assert.ok(EngineError.is(error, 'DATA_LOSS', 'SNAPSHOT_CORRUPT'));
      assert.equal(error.details['layer'], 'b');
      return true;
    });
    assert.deepEqual(
      (await snapshotter.list()).map((one) => one.key),
      ['c'],
    );
    assert.deepEqual(readdirSync(join(dir, 'active')), []);
  });

  it('ends at a chain that leads in a circle', async () => {
    writeFileSync(join(dir, 'committed/a/meta.json'), '{"version":1,"kind":"active","parent":"c"}');
    await assert.rejects(OverlaySnapshotter.open({ dir }).prepare('x', 'c'), (error) =>
      EngineError.is(error, 'DATA_LOSS', 'SNAPSHOT_CORRUPT'),
    );
  });
});

describe('directory names of keys', () => {
  it('turn back into their keys and into nothing else', () => {
    for (const key of ['a', 'sha256:ab', 'a:b:c', 'A.b_c-d']) assert.equal(decodeKey(encodeKey(key)), key);
    assert.equal(encodeKey('sha256:ab').includes(':'), false);
    for (const name of ['', '.', '..', '+a', 'a:b', 'a b', 'meta.json~', '-a'])
      assert.equal(decodeKey(name), undefined);
  });
});
