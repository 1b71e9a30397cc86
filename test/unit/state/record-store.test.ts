import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { RecordStore } from '#src/state/index.js';
import { reason, scratch } from './scratch.js';

interface Box {
  readonly n: number;
  readonly labels: Map<string, string>;
}

const temp = scratch();

function parse(value: unknown, schema: number): Box {
  const { n, labels } = value as { n: unknown; labels: [string, string][] };
  if (typeof n !== 'number') throw new Error('n is no number');
  return { n: schema === 1 ? n * 10 : n, labels: new Map(labels) };
}

function store(dir = temp(), schemaVersion = 2, durable = false): RecordStore<Box> {
  const serialize = (box: Box) => ({ n: box.n, labels: [...box.labels] });
  return new RecordStore({ dir, kind: 'box', schemaVersion, parse, serialize, durable });
}

const box = (n: number): Box => ({
  n,
  labels: new Map([
    ['__proto__', 'x'],
    ['a\nb', '"'],
  ]),
});

test('creates once, reads, writes, updates, lists and deletes', () => {
  for (const durable of [false, true]) {
    const boxes = store(temp(), 2, durable);
    boxes.create('one', box(1));
    assert.throws(() => boxes.create('one', box(2)), reason('RECORD_EXISTS', { kind: 'box', id: 'one' }));
    assert.deepEqual(boxes.read('one'), box(1));
    boxes.write('one', box(2));
    boxes.write('two', box(5));
    assert.deepEqual(
      boxes.update('one', (old) => box(old.n + 1)),
      box(3),
    );
    assert.deepEqual(boxes.findVersioned('one'), { value: box(3), generation: 3 });
    assert.deepEqual(boxes.ids().sort(), ['one', 'two']);
    assert.deepEqual(boxes.list(), {
      records: new Map([
        ['one', box(3)],
        ['two', box(5)],
      ]),
      problems: [],
    });
    assert.equal(boxes.delete('one'), true);
    assert.equal(boxes.delete('one'), false);
    assert.equal(boxes.find('one'), undefined);
    assert.deepEqual(boxes.ids(), ['two']);
    assert.throws(() => boxes.read('one'), reason('RECORD_NOT_FOUND', { id: 'one' }));
    assert.throws(() => boxes.update('one', (old) => old), reason('RECORD_NOT_FOUND'));
    assert.equal(existsSync(boxes.directory('one')), true);
  }
});

test('removes the directory on request, but nothing inside a directory of it', () => {
  const boxes = store();
  boxes.create('one', box(1));
  const dir = boxes.directory('one');
  writeFileSync(join(dir, 'lock'), '');
  mkdirSync(join(dir, 'empty'));
  mkdirSync(join(dir, 'rootfs'));
  writeFileSync(join(dir, 'rootfs', 'precious'), '');
  assert.throws(() => boxes.delete('one', { removeDir: true }), reason('SYSCALL_FAILED', { errno: 'ENOTEMPTY' }));
  assert.equal(boxes.find('one'), undefined);
  assert.equal(existsSync(join(dir, 'rootfs', 'precious')), true);
  rmSync(join(dir, 'rootfs'), { recursive: true });
  assert.equal(boxes.delete('one', { removeDir: true }), false);
  assert.equal(existsSync(dir), false);
  boxes.delete('one', { removeDir: true });
  boxes.create('one', box(2));
});

test('ids are names, never paths', () => {
  const boxes = store();
  for (const id of ['', '..', 'a/b', '.hidden', 'a\nb', 'x'.repeat(129), '__proto__']) {
    assert.throws(() => boxes.find(id), reason('BAD_NAME'), id);
  }
  for (const id of ['f'.repeat(64), `sha256-${'0'.repeat(64)}`, 'constructor']) {
    boxes.create(id, box(1));
    assert.equal(boxes.list().records.get(id)?.n, 1);
  }
});

test('a damaged record is moved aside, reported, and does not hide the others', () => {
  const damage: [string, (text: string) => string][] = [
    ['empty', () => ''],
    ['torn', (text) => text.slice(0, -20)],
    ['flipped', (text) => text.replace('"n":1', '"n":7')],
    ['zeros', (text) => '\0'.repeat(text.length)],
    ['glued', (text) => text + text],
    ['null', () => 'null'],
  ];
  for (const [how, change] of damage) {
    const boxes = store();
    boxes.create('bad', box(1));
    boxes.create('good', box(2));
    const path = join(boxes.directory('bad'), 'record.json');
    const damaged = change(readFileSync(path, 'utf8'));
    writeFileSync(path, damaged);
    const { records, problems } = boxes.list();
    assert.deepEqual([...records.keys()], ['good'], how);
    assert.equal(problems.length, 1);
    const quarantine = problems[0]?.error.details.quarantine as string;
    assert.match(quarantine, /record\.json\.corrupt-[0-9TZ.-]+$/);
    assert.equal(readFileSync(quarantine, 'utf8'), damaged);
    assert.equal(problems[0]?.error.reason, 'RECORD_CORRUPT');
    assert.equal(boxes.find('bad'), undefined);
    writeFileSync(path, damaged);
    assert.throws(() => boxes.read('bad'), reason('RECORD_CORRUPT', { id: 'bad' }));
  }
});

test('a directory in place of the record is quarantined, stray files are passed over', () => {
  const boxes = store();
  mkdirSync(join(boxes.directory('odd'), 'record.json'), { recursive: true });
  assert.throws(() => boxes.read('odd'), reason('RECORD_CORRUPT'));
  assert.match(readdirSync(boxes.directory('odd'))[0] ?? '', /^record\.json\.corrupt-/);
  writeFileSync(join(boxes.directory('odd'), '..', 'stray'), 'a file among the directories');
  assert.deepEqual(boxes.list(), { records: new Map(), problems: [] });
});

test('a record that a person re-indented is still read', () => {
  const boxes = store();
  boxes.create('one', box(1));
  const path = join(boxes.directory('one'), 'record.json');
  writeFileSync(path, JSON.stringify(JSON.parse(readFileSync(path, 'utf8')), null, 2));
  assert.deepEqual(boxes.read('one'), box(1));
});

test('older formats are given to parse with their number, newer and unknown ones are left alone', () => {
  const dir = temp();
  store(dir, 1).create('old', box(4));
  assert.equal(store(dir, 2).read('old').n, 40);
  store(dir, 3).create('new', box(4));
  assert.throws(() => store(dir, 2).read('new'), reason('RECORD_UNKNOWN_FORMAT', { schema: 3 }));
  const odd = new RecordStore<{ n: string }>({
    dir,
    kind: 'box',
    schemaVersion: 2,
    parse: (value) => value as { n: string },
    durable: false,
  });
  odd.create('odd', { n: 'text' });
  assert.throws(() => store(dir).read('odd'), reason('RECORD_UNKNOWN_FORMAT'));
  assert.deepEqual(readdirSync(join(dir, 'odd')), ['record.json']);
  assert.deepEqual(
    store(dir, 3)
      .list()
      .problems.map((problem) => problem.id),
    ['odd'],
  );
});

test('an update that someone else overtook is refused', () => {
  const dir = temp();
  const boxes = store(dir);
  const others = store(dir);
  boxes.create('one', box(1));
  others.write('one', box(2));
  assert.throws(
    () => boxes.update('one', () => box(9), { expectGeneration: 1 }),
    reason('GENERATION_CONFLICT', { expected: 1, found: 2 }),
  );
  assert.throws(
    () =>
      boxes.update('one', () => {
        others.write('one', box(3));
        return box(9);
      }),
    reason('GENERATION_CONFLICT'),
  );
  assert.equal(boxes.read('one').n, 3);
});

test('files are 0600 and errors are EngineErrors that name kind and id', () => {
  const boxes = store();
  boxes.create('one', box(1));
  assert.equal(statSync(join(boxes.directory('one'), 'record.json')).mode & 0o777, 0o600);
  try {
    boxes.read('missing');
    assert.fail('read a missing record');
  } catch (error) {
    assert.ok(EngineError.is(error, 'NOT_FOUND'));
    assert.match((error as Error).message, /box "missing"/);
  }
});
