import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '#src/errors/index.js';
import {
  CriLogWriter,
  formatCriRecords,
  type LogEntry,
  parseCriRecord,
  type ReadLogOptions,
  readLog,
} from '#src/logs/index.js';

const dir = mkdtempSync(`${tmpdir()}/logs-`);
after(() => rmSync(dir, { recursive: true }));
let next = 0;
const newPath = () => `${dir}/${next++}.log`;

/** A record at second `second`. */
const record = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `2026-01-01T00:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}.123456789+00:00 ${stream} ${tag} ${text}\n`;

async function texts(options: ReadLogOptions): Promise<string[]> {
  const out: string[] = [];
  for await (const { data, partial } of readLog(options)) out.push(data.toString('latin1') + (partial ? '~' : ''));
  return out;
}

test('a record has time, stream, tag and data as they are', () => {
  const entry = parseCriRecord(Buffer.from(`${record(5, 'a  b ').trimEnd()}  `));
  assert.equal(entry?.timeText, '2026-01-01T00:00:05.123456789+00:00');
  assert.equal(entry?.time.getTime(), Date.UTC(2026, 0, 1, 0, 0, 5, 123));
  assert.equal(entry?.stream, 'stdout');
  assert.equal(entry?.data.toString(), 'a  b  ');
  assert.equal(parseCriRecord(Buffer.from('2026-01-01T00:00:05.1Z stderr P:x y'))?.data.toString(), 'y');
  assert.equal(parseCriRecord(Buffer.from('2026-01-01T00:00:05.1Z stderr F'))?.data.length, 0);
  for (const bad of [
    '',
    'x',
    '2026-01-01T00:00:05.1Z stdin F x',
    '2026-01-01T00:00:05.1Z stdout X y',
    'nottimenottimenottime stdout F y',
  ]) {
    assert.equal(parseCriRecord(Buffer.from(bad)), undefined, bad);
  }
});

test('random bytes are skipped or read, never fatal', async () => {
  const path = newPath();
  for (let i = 0; i < 200; i++) {
    writeFileSync(path, Buffer.concat([randomBytes(i * 7), Buffer.from(`\n${record(1, 'kept')}`), randomBytes(i)]));
    assert.ok((await texts({ path })).includes('kept'));
    assert.ok((await texts({ path, tail: 3 })).includes('kept'));
  }
});

test('what the writer writes is read back byte for byte, whatever the chunks', async () => {
  const path = newPath();
  const writer = new CriLogWriter(path);
  const source = Buffer.concat([
    randomBytes(50_000),
    Buffer.from('\n\n'),
    Buffer.alloc(40_000, 0x61),
    Buffer.from('\nend'),
  ]);
  for (let at = 0; at < source.length; at += 7919) writer.append('stdout', source.subarray(at, at + 7919));
  writer.append('stderr', Buffer.from('err\n'));
  writer.close();
  assert.equal(writer.error, undefined);
  const parts: Buffer[] = [];
  let last: LogEntry | undefined;
  for await (const entry of readLog({ path, stderr: false })) {
    if (last) assert.ok(last.timeText <= entry.timeText);
    last = entry;
    parts.push(entry.data, Buffer.from(entry.partial ? '' : '\n'));
  }
  assert.ok(Buffer.concat(parts).equals(source));
  assert.deepEqual(await texts({ path, stdout: false }), ['err']);
});

test('a chunk is formatted in one pass: full lines F, the rest P', () => {
  const text = formatCriRecords('stderr', Buffer.from('a\n\nb'), 'T').toString();
  assert.equal(text, 'T stderr F a\nT stderr F \nT stderr P b\n');
});

test('pieces of lines are joined by stream, or given as they are', async () => {
  const path = newPath();
  writeFileSync(
    path,
    record(1, 'a', 'stdout', 'P') +
      record(2, 'X', 'stderr', 'P') +
      record(3, 'b') +
      record(4, 'Y', 'stderr') +
      record(5, 'rest', 'stdout', 'P'),
  );
  assert.deepEqual(await texts({ path }), ['ab', 'XY', 'rest~']);
  assert.deepEqual(await texts({ path, joinPartials: false }), ['a~', 'X~', 'b', 'Y', 'rest~']);
  assert.deepEqual(await texts({ path, tail: 1 }), ['rest~']);
  assert.deepEqual(await texts({ path, tail: 2 }), ['XY', 'rest~']);
  assert.deepEqual(await texts({ path, tail: 3 }), ['ab', 'XY', 'rest~']);
  assert.deepEqual(await texts({ path, tail: 1, stderr: false }), ['rest~']);
  assert.deepEqual(await texts({ path, tail: 1, stdout: false }), ['XY']);
});

test('tail gives the same as reading all and keeping the end', async () => {
  const path = newPath();
  let text = '';
  for (let i = 0; i < 3000; i++)
    text += record(i, `line ${i} ${'x'.repeat((i * 37) % 300)}`, i % 3 ? 'stdout' : 'stderr', i % 5 ? 'F' : 'P');
  writeFileSync(path, text);
  for (const streams of [{}, { stderr: false }, { stdout: false }]) {
    const all = await texts({ path, ...streams });
    for (const tail of [0, 1, 2, 7, 100, 1500, 5000]) {
      assert.deepEqual(
        await texts({ path, ...streams, tail }),
        tail === 0 ? [] : all.slice(-tail),
        `${tail} ${JSON.stringify(streams)}`,
      );
    }
  }
});

test('the tail of a big log is found from its end', async () => {
  const path = newPath();
  writeFileSync(path, record(1, 'y'.repeat(1000)).repeat(20_000));
  truncateSync(path, 0);
  // Sparse in front: reading it all would show zero bytes and take long.
  truncateSync(path, 500 << 20);
  appendFileSync(path, `\n${record(1, 'one')}${record(2, 'two')}${record(3, 'three')}`);
  assert.deepEqual(await texts({ path, tail: 2 }), ['two', 'three']);
});

test('since and until are both inclusive', async () => {
  const path = newPath();
  writeFileSync(path, [1, 2, 3, 4].map((second) => record(second, String(second))).join(''));
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 123));
  assert.deepEqual(await texts({ path, since: at(2) }), ['2', '3', '4']);
  assert.deepEqual(await texts({ path, until: at(2) }), ['1', '2']);
  assert.deepEqual(await texts({ path, since: at(2), until: at(3), tail: 1 }), ['3']);
});

test('a missing log is empty, and a half-written last line is not given', async () => {
  const path = newPath();
  assert.deepEqual(await texts({ path }), []);
  assert.deepEqual(await texts({ path, tail: 3 }), []);
  writeFileSync(path, record(1, 'whole') + record(2, 'half').slice(0, -3));
  assert.deepEqual(await texts({ path }), ['whole']);
  assert.deepEqual(await texts({ path, tail: 5 }), ['whole']);
});

test('following sees appends, half lines, truncation and rotation, and ends with the container', async () => {
  const path = newPath();
  let end!: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { data } of readLog({ path, follow: true, ended })) seen.push(data.toString());
  })();
  const until = async (count: number) => {
    for (let tries = 0; seen.length < count && tries < 100; tries++) await delay(30);
    assert.equal(seen.length, count, seen.join());
  };
  await delay(30);
  writeFileSync(path, record(1, 'first'));
  await until(1);
  appendFileSync(path, record(2, 'second').slice(0, 20));
  await delay(50);
  assert.equal(seen.length, 1);
  appendFileSync(path, record(2, 'second').slice(20));
  await until(2);
  truncateSync(path, 0);
  await delay(1100);
  appendFileSync(path, record(3, 'third'));
  await until(3);
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, record(4, 'late'));
  writeFileSync(path, record(5, 'new'));
  await until(5);
  appendFileSync(path, record(6, 'last'));
  end();
  await reading;
  assert.deepEqual(seen, ['first', 'second', 'third', 'late', 'new', 'last']);
});

test('following ends with the signal', async () => {
  const path = newPath();
  writeFileSync(path, record(1, 'x'));
  const signal = AbortSignal.timeout(50);
  await assert.rejects(texts({ path, follow: true, signal }), (error) => EngineError.is(error, 'DEADLINE_EXCEEDED'));
});

test('tail and follow together: the end, then what comes', async () => {
  const path = newPath();
  writeFileSync(path, record(1, 'a') + record(2, 'b'));
  let done = false;
  setTimeout(() => {
    appendFileSync(path, record(3, 'c'));
    done = true;
  }, 50);
  assert.deepEqual(await texts({ path, tail: 1, follow: true, ended: () => done }), ['b', 'c']);
});
