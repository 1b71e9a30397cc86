import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { findExecutable } from '#src/os/index.js';
import { removeTree } from '#src/os/trees/remove-tree.js';

describe('removeTree', () => {
  let dir: string;
  let scratch: string;
  let tree: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'remove-tree-'));
    scratch = join(dir, 'scratch');
    tree = join(dir, 'tree');
    mkdirSync(scratch);
    mkdirSync(tree);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('removes a small tree before the call returns', () => {
    mkdirSync(join(tree, 'work/work'), { recursive: true });
    writeFileSync(join(tree, 'file'), '');
    void removeTree(tree, scratch);
    assert.equal(existsSync(tree), false);
  });

  it('is fine with nothing there', async () => {
    await removeTree(join(dir, 'missing'), scratch);
  });

  it('removes names that are not UTF-8, and a large sparse file', async () => {
    const odd = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe, 0x41])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/x\xff', 'latin1')]), '');
    writeFileSync(join(tree, 'large'), '');
    truncateSync(join(tree, 'large'), 100 * 2 ** 20);
    await removeTree(tree, scratch);
    assert.deepEqual(readdirSync(dir), ['scratch']);
  });

  it('removes a tree deeper than a path can name', async () => {
    // Built from the inside out: each level is put into a new one.
    let inner = join(dir, 'inner');
    mkdirSync(inner);
    writeFileSync(join(inner, 'leaf'), '');
    for (let level = 0; level < 40; level++) {
      const outer = join(dir, `outer-${level}`);
      mkdirSync(outer);
      renameSync(inner, join(outer, 'n'.repeat(200)));
      inner = outer;
    }
    renameSync(inner, join(tree, 'deep'));
    await removeTree(tree, scratch);
    assert.deepEqual(readdirSync(dir), ['scratch']);
    assert.deepEqual(readdirSync(scratch), []);
  });

  it('removes immutable files and directories', async (t) => {
    const chattr = findExecutable('chattr');
    if (chattr === undefined || process.geteuid?.() !== 0) return t.skip('missing: chattr');
    mkdirSync(join(tree, 'dir'));
    for (const name of ['immutable', 'dir/append-only', 'dir/in-immutable']) writeFileSync(join(tree, name), '');
    try {
      execFileSync(chattr, ['+i', join(tree, 'immutable')], { stdio: 'ignore' });
    } catch {
      return t.skip('missing: file attributes on the temp directory');
    }
    execFileSync(chattr, ['+a', join(tree, 'dir/append-only')]);
    execFileSync(chattr, ['+i', join(tree, 'dir')]);
    await removeTree(tree, scratch);
    assert.deepEqual(readdirSync(dir), ['scratch']);
  });

  it('gives way to the event loop in a large tree, and to an abort', async () => {
    for (let n = 0; n < 3000; n++) writeFileSync(join(tree, `f${n}`), '');
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 2);
    await assert.rejects(removeTree(tree, scratch, { signal: abort.signal }), (error) =>
      EngineError.is(error, 'CANCELED'),
    );
    assert.ok(readdirSync(tree).length > 0);
    await removeTree(tree, scratch);
    clearInterval(timer);
    assert.ok(turns > 2, `${turns} turns`);
    assert.equal(existsSync(tree), false);
  });
});
