import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import {
  encodeTarHeader,
  packTar,
  readTar,
  type TarEntry,
  type TarEntryInput,
  TarWriter,
  tarEntry,
} from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks } from '#support/tarsmith.js';

const ENTRIES: readonly TarEntryInput[] = [
  { path: 'plain', type: 'file', size: 5, mode: 0o4755, uid: 1, gid: 2, mtimeNs: 1_700_000_000_000_000_000n },
  { path: 'dir/', type: 'directory' },
  { path: `${'p/'.repeat(70)}name`, type: 'file' },
  { path: `${'p/'.repeat(300)}name`, type: 'file' },
  { path: 'n'.repeat(255), type: 'file' },
  { path: 'nearly/', type: 'directory', mtimeNs: -1n },
  { path: 'h\xc3\xb6he', type: 'symlink', linkPath: 'l'.repeat(200), mtimeNs: 1_700_000_000_000_000_001n },
  { path: 'bytes\xff', type: 'hardlink', linkPath: 'pl\xffain' },
  { path: 'null', type: 'char', devMajor: 1, devMinor: 3 },
  { path: 'sda', type: 'block', devMajor: 4095, devMinor: 0o7777777 + 1 },
  { path: 'pipe', type: 'fifo', uid: 3_000_000, gid: 4_000_000_000 },
  {
    path: 'x',
    type: 'file',
    xattrs: new Map([
      ['user.z', Buffer.from('1\n=\0')],
      ['user.a', Buffer.alloc(0)],
      ['security.capability', Buffer.alloc(20, 1)],
    ]),
  },
  { path: 'old', type: 'file', mtimeNs: -62_135_596_800_000_000_000n },
  { path: 'far', type: 'file', mtimeNs: 99_999_999_999_123_000_000n },
];

async function roundTrip(entries: readonly TarEntry[]): Promise<TarEntry[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of packTar(entries.map((entry) => ({ entry, data: Buffer.alloc(entry.size, 'd') }))))
    chunks.push(chunk);
  const result: TarEntry[] = [];
  for await (const { entry } of readTar(inChunks(Buffer.concat(chunks)))) result.push(entry);
  return result;
}

const comparable = (entry: TarEntry) => ({ ...entry, xattrs: [...entry.xattrs].sort(([a], [b]) => (a < b ? -1 : 1)) });

test('what is written is read again', async () => {
  const entries = ENTRIES.map(tarEntry);
  assert.deepEqual((await roundTrip(entries)).map(comparable), entries.map(comparable));
});

test('GNU tar reads what is written, and a plain entry has no PAX header', () => {
  assert.equal(encodeTarHeader(tarEntry(ENTRIES[0] as TarEntryInput)).length, 512);
  const chunks: Uint8Array[] = [];
  for (const input of ENTRIES) chunks.push(encodeTarHeader(tarEntry({ ...input, size: 0 })));
  const list = execFileSync('tar', ['--quoting-style=escape', '-tf', '-'], {
    input: Buffer.concat([...chunks, Buffer.alloc(1024)]),
    encoding: 'utf8',
    env: { LC_ALL: 'C', PATH: process.env.PATH ?? '' },
  });
  const expected = ENTRIES.map((e) => e.path.replace(/[\x80-\xff]/g, (c) => `\\${c.charCodeAt(0).toString(8)}`));
  assert.deepEqual(list.trimEnd().split('\n'), expected);
});

test('sizes beyond 8 GiB go to a PAX header', async () => {
  const entry = tarEntry({ path: 'huge', type: 'file', size: 2 ** 40 });
  for await (const read of readTar(inChunks(encodeTarHeader(entry)))) {
    assert.equal(read.entry.size, 2 ** 40);
    return;
  }
  assert.fail('no entry');
});

test('data must be as long as the entry says', async () => {
  for (const data of ['abc', 'abcdefg']) {
    const writer = new TarWriter({ write: () => {} });
    await assert.rejects(writer.add(tarEntry({ path: 'x', type: 'file', size: 5 }), Buffer.from(data)), (e: unknown) =>
      EngineError.is(e, undefined, 'BAD_SOURCE'),
    );
  }
});

test('TarWriter and packTar write the same', async () => {
  const entry = tarEntry({ path: 'x', type: 'file', size: 600 });
  const data = Buffer.alloc(600, 'x');
  const written: Uint8Array[] = [];
  const writer = new TarWriter({ write: (chunk) => void written.push(Buffer.from(chunk)) });
  await writer.add(entry, data);
  await writer.finish();
  const packed: Uint8Array[] = [];
  for await (const chunk of packTar([{ entry, data: [data.subarray(0, 10), data.subarray(10)] }])) packed.push(chunk);
  assert.ok(Buffer.concat(written).equals(Buffer.concat(packed)));
  assert.equal(Buffer.concat(written).length, 512 + 1024 + 1024);
});
