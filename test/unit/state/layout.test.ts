import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLayout } from '#src/state/index.js';
import { reason, scratch } from './scratch.js';

const temp = scratch();
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

function open(root: string, runDir = `${root}-run`) {
  return openLayout({ root, runDir });
}

test('makes root, v1, kinds and the run dir 0700 under any umask, and writes the schema once', () => {
  for (const umask of [0, 0o022, 0o777]) {
    const before = process.umask(umask);
    try {
      const layout = open(temp('deep/er/root'));
      const kind = layout.dir('containers');
      for (const path of [layout.root, layout.v1, kind, layout.run]) assert.equal(mode(path), '700', path);
      assert.equal(mode(join(layout.v1, 'schema.json')), '600');
      assert.deepEqual(JSON.parse(readFileSync(join(layout.v1, 'schema.json'), 'utf8')), { schema: 1 });
      const inode = statSync(join(layout.v1, 'schema.json')).ino;
      open(layout.root);
      assert.equal(statSync(join(layout.v1, 'schema.json')).ino, inode);
    } finally {
      process.umask(before);
    }
  }
});

test('takes roots with characters that other tools split paths at', () => {
  const layout = open(temp('a:b,c d\ne\\f"g'));
  assert.equal(layout.dir('images'), join(layout.root, 'v1', 'images'));
  assert.equal(layout.runPath('bundles', 'x'), join(layout.run, 'bundles', 'x'));
  assert.deepEqual(readdirSync(layout.v1).sort(), ['images', 'schema.json']);
});

test('names no path outside of the root', () => {
  const layout = open(temp());
  assert.throws(() => layout.dir('../x'), reason('BAD_NAME'));
  assert.throws(() => layout.runPath('a', '..'), reason('BAD_NAME'));
});

test('the default run dir is the same for two names of one root and differs between roots', (t) => {
  const root = temp();
  const one = openLayout({ root });
  symlinkSync(root, `${root}-link`);
  const other = openLayout({ root: `${root}-link` });
  const second = openLayout({ root: temp() });
  t.after(async () => {
    const { rmSync } = await import('node:fs');
    for (const layout of [one, second]) rmSync(layout.run, { recursive: true, force: true });
  });
  assert.match(one.run, /^\/run\/caisson\/[0-9a-f]{12}$/);
  assert.equal(other.run, one.run);
  assert.notEqual(second.run, one.run);
});

test('refuses a root that is relative, a file, somebody else’s or open to others', () => {
  assert.throws(() => open('relative/root'), reason('BAD_OPTION', { field: 'root' }));
  assert.throws(() => open('/tmp/a\0b'), reason('BAD_OPTION'));
  const file = temp();
  writeFileSync(file, 'x');
  assert.throws(() => open(file), reason('ROOT_NOT_OURS'));
  assert.equal(readFileSync(file, 'utf8'), 'x');
  const theirs = temp();
  mkdirSync(theirs);
  chownSync(theirs, 12345, 12345);
  assert.throws(() => open(theirs), reason('ROOT_NOT_OURS'));
  assert.deepEqual(readdirSync(theirs), []);
  const lax = temp();
  mkdirSync(join(lax, 'content'), { recursive: true });
  chmodSync(lax, 0o777);
  assert.throws(() => open(lax), reason('ROOT_NOT_OURS'));
  const sticky = temp();
  mkdirSync(sticky);
  chmodSync(sticky, 0o1777);
  assert.throws(() => open(sticky), reason('ROOT_NOT_OURS'));
  assert.equal(mode(sticky), '1777');
});

test('closes an empty root that was made with a lax umask and leaves the mode of a readable one', () => {
  const lax = temp();
  mkdirSync(lax);
  chmodSync(lax, 0o777);
  open(lax);
  assert.equal(mode(lax), '700');
  const readable = temp();
  mkdirSync(readable);
  chmodSync(readable, 0o755);
  assert.equal(mode(open(readable).v1), '700');
  assert.equal(mode(readable), '755');
});

test('refuses a symbolic link of somebody else and a v1 that is one', async () => {
  const { lchownSync } = await import('node:fs');
  const real = temp();
  mkdirSync(real);
  symlinkSync(real, `${real}-link`);
  lchownSync(`${real}-link`, 12345, 12345);
  assert.throws(() => open(`${real}-link`), reason('ROOT_NOT_OURS'));
  const planted = temp();
  mkdirSync(planted);
  symlinkSync(real, join(planted, 'v1'));
  assert.throws(() => open(planted), reason('ROOT_NOT_OURS'));
});

test('refuses a root of a newer schema', () => {
  const byName = temp();
  mkdirSync(join(byName, 'v2'), { recursive: true });
  assert.throws(() => open(byName), reason('ROOT_NEWER_SCHEMA', { found: 2, supported: 1 }));
  assert.deepEqual(readdirSync(byName), ['v2']);
  const byFile = open(temp());
  writeFileSync(join(byFile.v1, 'schema.json'), '{"schema":7}');
  assert.throws(() => open(byFile.root), reason('ROOT_NEWER_SCHEMA', { found: 7 }));
  writeFileSync(join(byFile.v1, 'schema.json'), '');
  assert.throws(() => open(byFile.root), reason('ROOT_UNREADABLE'));
});
