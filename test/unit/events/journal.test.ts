import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { type EngineEvent, EventJournal, type EventJournalOptions, type ReadOptions } from '#src/events/index.js';
import { MNT_DETACH, mount, umount } from '#src/os/syscalls/index.js';

const made: string[] = [];
const journals: EventJournal[] = [];
afterEach(() => {
  for (const journal of journals.splice(0)) journal.close();
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function open(options: Partial<EventJournalOptions> = {}): { dir: string; journal: EventJournal } {
  const base = mkdtempSync(join(tmpdir(), 'caisson-events-'));
  made.push(base);
  const dir = options.dir ?? join(base, 'a:b,\nc');
  const journal = new EventJournal({ ...options, dir });
  journals.push(journal);
  return { dir, journal };
}

function add(journal: EventJournal, from: number, to = from, attributes: Record<string, string> = {}): void {
  for (let i = from; i <= to; i++) journal.append({ type: 'container', action: 'start', id: `c${i}`, attributes });
}

async function read(journal: EventJournal, options: Omit<ReadOptions, 'follow'> = {}): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of journal.read({ follow: false, ...options })) events.push(event);
  return events;
}

const ids = (events: readonly EngineEvent[]) => events.map((event) => event.id);
const name = (event: EngineEvent) => `${event.type} ${event.action} ${event.id}`;

test('an event comes back as it was, whatever its attributes are called', async () => {
  const { journal } = open();
  const time = new Date('2024-02-03T04:05:06.789Z');
  const attributes = Object.create(null) as Record<string, string>;
  attributes[['__proto__'].join()] = 'evil';
  attributes['line\nfeed'] = '\n{"seal":1}\n';
  attributes[['constructor'].join()] = 'é\u2028';
  journal.append({ type: 'image', action: 'pull', id: 'sha256:1', attributes, time });
  journal.append({ type: 'engine', action: 'open', id: '' });
  const [event, second] = await read(journal);
  assert.equal(event?.seq, 1);
  assert.deepEqual(
    { ...event, attributes: undefined, seq: 0 },
    {
      seq: 0,
      time,
      type: 'image',
      action: 'pull',
      id: 'sha256:1',
      attributes: undefined,
    },
  );
  assert.equal(Object.getPrototypeOf(event?.attributes), null);
  assert.deepEqual(Object.entries(event?.attributes ?? {}), Object.entries(attributes));
  assert.equal(name(second as EngineEvent), 'engine open ');
});

test('since is a position or a time, until a time; filters must all fit', async () => {
  const { journal } = open();
  const at = (ms: number) => new Date(1_700_000_000_000 + ms);
  journal.append({ type: 'container', action: 'start', id: 'a', time: at(1), attributes: { app: 'web', __x: '' } });
  journal.append({ type: 'container', action: 'die', id: 'a', time: at(2), attributes: { app: 'db' } });
  journal.append({ type: 'image', action: 'pull', id: 'b', time: at(3), attributes: {} });
  const all = await read(journal);
  const names = (events: readonly EngineEvent[]) => events.map(name);
  const [start, die, pull] = names(all);
  assert.deepEqual(names(await read(journal, { since: all[0]?.seq ?? -1 })), [die, pull]);
  assert.deepEqual(names(await read(journal, { since: 0 })), [start, die, pull]);
  assert.deepEqual(names(await read(journal, { since: all[2]?.seq ?? -1 })), []);
  assert.deepEqual(names(await read(journal, { since: (all[1]?.seq ?? 0) + 5 })), [pull]);
  assert.deepEqual(names(await read(journal, { since: at(2) })), [die, pull]);
  assert.deepEqual(names(await read(journal, { since: at(2), until: at(2) })), [die]);
  assert.deepEqual(names(await read(journal, { filter: { type: ['image', 'volume'] } })), [pull]);
  assert.deepEqual(names(await read(journal, { filter: { id: 'a', action: ['die', 'x'] } })), [die]);
  assert.deepEqual(names(await read(journal, { filter: { labels: { app: true } } })), [start, die]);
  assert.deepEqual(names(await read(journal, { filter: { labels: { app: 'web', __x: '' } } })), [start]);
  assert.deepEqual(names(await read(journal, { filter: { labels: { ['toString' as string]: true } } })), []);
});

test('torn and damaged lines are skipped and glue to nothing', async () => {
  const { dir, journal } = open();
  add(journal, 1);
  const file = join(dir, readdirSync(dir)[0] as string);
  const whole = readFileSync(file);
  appendFileSync(file, whole.subarray(0, whole.length - 10));
  add(journal, 2);
  appendFileSync(file, '\0'.repeat(5000));
  add(journal, 3);
  appendFileSync(
    file,
    '\n{"type":"container"}\n[]\nnull\n{"type":"other","action":"","id":"","time":"2024-01-01","attributes":{}}\n',
  );
  add(journal, 4);
  appendFileSync(file, `\n${'y'.repeat(200_000)}`);
  add(journal, 5);
  appendFileSync(file, '\n{"type":"container","action":"torn');
  assert.deepEqual(ids(await read(journal)), ['c1', 'c2', 'c3', 'c4', 'c5']);
});

test('following gives history, then what happens, also from another journal object and over segments', async () => {
  const { dir, journal } = open({ maxSegmentBytes: 300, keepSegments: 1000 });
  const other = open({ dir, maxSegmentBytes: 1000, keepSegments: 1000 }).journal;
  add(journal, 1, 10);
  const reader = journal.read({ since: 0, follow: true });
  const seen: string[] = [];
  setTimeout(() => {
    add(other, 11, 20);
    add(journal, 21, 30);
  }, 20);
  let seq = 0;
  for await (const event of reader) {
    seen.push(event.id);
    assert.ok(event.seq > seq);
    seq = event.seq;
    if (seen.length === 30) break;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 30 }, (_, i) => `c${i + 1}`),
  );
  assert.ok(readdirSync(dir).length > 5);
  assert.deepEqual(ids(await read(other)), seen);
});

test('without since a follower starts at the call, not at the first next', async () => {
  const { journal } = open({ maxSegmentBytes: 300 });
  for (let round = 0; round < 8; round++) {
    // Also where the call falls together with the end of a segment.
    add(journal, 1);
    const reader = journal.read({ follow: true });
    add(journal, 2, 3);
    assert.equal((await reader.next()).value?.id, 'c2');
    assert.equal((await reader.next()).value?.id, 'c3');
    await reader.return?.();
  }
});

test('return and abort end a waiting next at once', async () => {
  const { journal } = open();
  const reader = journal.read({ follow: true });
  const waiting = reader.next();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await reader.return?.(), { value: undefined, done: true });
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.deepEqual(await reader.next(), { value: undefined, done: true });

  const controller = new AbortController();
  const aborted = journal.read({ follow: true, signal: controller.signal });
  const pending = aborted.next();
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(pending, (error) => EngineError.is(error, 'CANCELED', 'CANCELED'));
  assert.equal((await aborted.next()).done, true);

  const until = journal.read({ follow: true, until: new Date(Date.now() + 30) });
  add(journal, 7);
  assert.equal((await until.next()).value?.id, 'c7');
  assert.equal((await until.next()).done, true);
});

test('a place that is no longer kept is said, by position, by time and while following', async () => {
  const { dir, journal } = open({ maxSegmentBytes: 300, keepSegments: 3 });
  const slow = journal.read({ since: 0, follow: true, filter: { id: 'nothing but c99' } });
  const begin = new Date();
  add(journal, 1, 2);
  const early = journal.read({ since: 0, follow: true });
  assert.equal((await early.next()).value?.id, 'c1');
  assert.equal((await early.next()).value?.id, 'c2');
  add(journal, 3, 60);
  assert.equal(readdirSync(dir).length, 3);

  const [first, ...rest] = await read(journal, { since: 1 });
  assert.equal(name(first as EngineEvent), 'engine overflow ');
  assert.equal(first?.attributes.from, '1');
  assert.ok(rest.length > 0 && (rest[0]?.seq ?? 0) > (first?.seq ?? 0));
  assert.equal(rest.at(-1)?.id, 'c60');
  assert.deepEqual(
    ids(await read(journal, { since: first?.seq ?? 0 })),
    ids(rest),
    'overflow is a place to resume from',
  );
  assert.equal((await read(journal, { since: new Date(begin.getTime() - 1000) }))[0]?.action, 'overflow');
  assert.deepEqual(ids(await read(journal)), ids(rest), 'who names no place misses none');
  assert.equal((await read(journal, { since: rest[0]?.seq ?? 0 }))[0]?.id, rest[1]?.id);

  // What its open segment held still comes, then the jump.
  let event = (await early.next()).value as EngineEvent;
  while (event.action !== 'overflow') event = (await early.next()).value as EngineEvent;
  assert.equal(((await early.next()).value as EngineEvent).id, rest[0]?.id);
  assert.equal((await slow.next()).value?.action, 'overflow');
  await early.return?.();
  await slow.return?.();
});

test('a journal that was made anew does not silence a reader of the old one', async () => {
  const { dir, journal } = open();
  add(journal, 1, 50);
  const reader = journal.read({ since: 0, follow: true });
  for (let i = 0; i < 50; i++) await reader.next();
  const last = (await read(journal)).at(-1)?.seq ?? 0;
  rmSync(dir, { recursive: true });
  add(journal, 51);
  assert.deepEqual(ids(await read(journal)), ['c51'], 'the writer notices too');
  assert.deepEqual((await read(journal, { since: last })).map(name), ['engine overflow ', 'container start c51']);
  await reader.return?.();
});

test('a rotation that died half-way is finished by the next writer', async () => {
  const { dir, journal } = open({ maxSegmentBytes: 100_000 });
  add(journal, 1, 3);
  const file = join(dir, readdirSync(dir)[0] as string);
  const reader = journal.read({ since: 0, follow: true });
  // Marked, and a torn seal; then marked with a seal, but the next segment was never made.
  for (const left of ['', '\n{"se', '\n{"seal":1}\n']) {
    const newest = join(dir, readdirSync(dir).sort().at(-1) as string);
    spawnSync('chmod', ['0700', newest]);
    appendFileSync(newest, left);
    add(journal, 4);
  }
  assert.ok(file.endsWith('0000000000000000.ndjson'));
  assert.deepEqual(ids(await read(journal)), ['c1', 'c2', 'c3', 'c4', 'c4', 'c4']);
  assert.equal(readdirSync(dir).length, 4);
  for (let i = 0; i < 6; i++) assert.equal((await reader.next()).done, false);
  await reader.return?.();
});

test('a full disk is said and harms neither earlier nor later events', async () => {
  const base = mkdtempSync(join(tmpdir(), 'caisson-events-'));
  mount('tmpfs', base, 'tmpfs', 0, 'size=64k');
  try {
    const journal = new EventJournal({ dir: join(base, 'j') });
    add(journal, 1);
    writeFileSync(join(base, 'ballast'), Buffer.alloc(52 << 10));
    assert.throws(
      () => add(journal, 2, 2, { text: 'z'.repeat(60_000) }),
      (error) => EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL'),
    );
    truncateSync(join(base, 'ballast'), 0);
    add(journal, 10);
    assert.deepEqual(ids(await read(journal)), ['c1', 'c10']);
    journal.close();
  } finally {
    umount(base, MNT_DETACH);
    rmSync(base, { recursive: true });
  }
});

test('a loop that waits keeps the process running, an abandoned reader does not', () => {
  const { dir } = open();
  const script = (body: string) => `
    const { EventJournal } = await import(${JSON.stringify(import.meta.resolve('#src/events/index.js'))});
    const journal = new EventJournal({ dir: ${JSON.stringify(dir)} });
    journal.append({ type: 'engine', action: 'one', id: '' });
    const reader = journal.read({ since: 0, follow: true });
    console.log((await reader.next()).value.action);
    ${body}`;
  const run = (body: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script(body)], { encoding: 'utf8', timeout: 10_000 });
  const abandoned = run('');
  assert.deepEqual([abandoned.status, abandoned.stdout, abandoned.stderr], [0, 'one\n', '']);
  rmSync(dir, { recursive: true });
  const waiting = run(`
    setTimeout(() => journal.append({ type: 'engine', action: 'two', id: '' }), 50).unref();
    console.log((await reader.next()).value.action);`);
  // The timer alone would not keep it: only the wait does.
  assert.deepEqual([waiting.status, waiting.stdout, waiting.stderr], [0, 'one\ntwo\n', '']);
});
