import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTar, type TarEntry } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks, smithArchive, smithData, smithEntry, smithHeader, smithLong, smithPax } from '#support/tarsmith.js';

interface Read {
  readonly entry: TarEntry;
  readonly text: string;
}

async function read(bytes: Uint8Array, chunkSize?: number): Promise<Read[]> {
  const result: Read[] = [];
  for await (const { entry, data } of readTar(inChunks(bytes, chunkSize))) {
    let text = '';
    for await (const chunk of data) text += Buffer.from(chunk).toString('latin1');
    result.push({ entry, text });
  }
  return result;
}

async function rejects(bytes: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(read(bytes), (error: unknown) => {
    assert.ok(EngineError.is(error, 'DATA_LOSS', 'BAD_ARCHIVE'), String(error));
    assert.match(error.message, message);
    return true;
  });
}

const one = async (...parts: Uint8Array[]): Promise<Read> => {
  const all = await read(smithArchive(...parts));
  assert.equal(all.length, 1);
  return all[0] as Read;
};

test('reads data whatever the chunks are', async () => {
  const bytes = smithArchive(
    smithEntry({ path: 'a' }, 'x'.repeat(700)),
    smithPax([['path', `${'long/'.repeat(40)}b`]]),
    smithEntry({ path: 'b' }, 'y'.repeat(512)),
    smithEntry({ path: 'empty' }),
    smithEntry({ path: 'c/', type: '5' }),
  );
  const whole = await read(bytes, bytes.length);
  assert.deepEqual(
    whole.map(({ entry, text }) => [entry.path, entry.type, text.length]),
    [
      ['a', 'file', 700],
      [`${'long/'.repeat(40)}b`, 'file', 512],
      ['empty', 'file', 0],
      ['c/', 'directory', 0],
    ],
  );
  for (const size of [1, 7, 511, 513, 1000]) assert.deepEqual(await read(bytes, size), whole, `chunks of ${size}`);
});

test('skips data that nobody reads', async () => {
  const bytes = smithArchive(smithEntry({ path: 'a' }, 'x'.repeat(5000)), smithEntry({ path: 'b' }, 'y'));
  const paths: string[] = [];
  for await (const { entry } of readTar(inChunks(bytes, 600))) paths.push(entry.path);
  assert.deepEqual(paths, ['a', 'b']);
});

test('reads all types and fields', async () => {
  const cases: [string, string][] = [
    ['0', 'file'],
    ['\0', 'file'],
    ['7', 'file'],
    ['1', 'hardlink'],
    ['2', 'symlink'],
    ['3', 'char'],
    ['4', 'block'],
    ['5', 'directory'],
    ['6', 'fifo'],
  ];
  for (const [type, expected] of cases) {
    const { entry } = await one(
      smithHeader({
        path: 'p',
        type,
        mode: 0o4755,
        uid: 7,
        gid: 8,
        linkPath: 'to',
        devMajor: 1,
        devMinor: 3,
        mtime: 99,
      }),
    );
    const isLink = expected.endsWith('link');
    const isDevice = expected === 'char' || expected === 'block';
    assert.deepEqual(
      { ...entry, xattrs: [...entry.xattrs] },
      {
        path: 'p',
        type: expected,
        mode: 0o4755,
        uid: 7,
        gid: 8,
        size: 0,
        mtimeNs: 99_000_000_000n,
        linkPath: isLink ? 'to' : '',
        devMajor: isDevice ? 1 : 0,
        devMinor: isDevice ? 3 : 0,
        xattrs: [],
      },
    );
  }
});

test('the size of what has no data is ignored, as every engine does', async () => {
  const all = await read(smithArchive(smithHeader({ path: 'd', type: '5', size: 1024 }), smithHeader({ path: 'f' })));
  assert.deepEqual(
    all.map(({ entry }) => [entry.path, entry.size]),
    [
      ['d', 0],
      ['f', 0],
    ],
  );
});

test('v7 archives have directories by their slash and no prefix', async () => {
  const { entry } = await one(smithHeader({ path: 'dir/', magic: 'v7', type: '\0', prefix: 'ignored' }));
  assert.equal(entry.type, 'directory');
  assert.equal(entry.path, 'dir/');
});

test('long names: ustar prefix, GNU, PAX', async () => {
  const long = `${'d/'.repeat(200)}f`;
  assert.equal((await one(smithHeader({ path: 'f', prefix: 'a/b' }))).entry.path, 'a/b/f');
  assert.equal((await one(smithLong('L', long), smithHeader({ path: 'x', magic: 'gnu' }))).entry.path, long);
  const linked = await one(
    smithLong('K', long),
    smithLong('L', `${long}2`),
    smithHeader({ path: 'x', type: '2', magic: 'gnu' }),
  );
  assert.deepEqual([linked.entry.path, linked.entry.linkPath], [`${long}2`, long]);
  const pax = await one(
    smithPax([
      ['path', long],
      ['linkpath', 'l'.repeat(300)],
    ]),
    smithHeader({ path: 'x', type: '2' }),
  );
  assert.deepEqual([pax.entry.path, pax.entry.linkPath], [long, 'l'.repeat(300)]);
});

test('names that are not UTF-8 keep their bytes', async () => {
  assert.equal((await one(smithHeader({ path: 'a\xff\xfe' }))).entry.path, 'a\xff\xfe');
  assert.equal((await one(smithPax([['path', '\xe9']]), smithHeader({ path: 'x' }))).entry.path, '\xe9');
});

test('PAX: owner, size, time, devices, attributes, global defaults', async () => {
  const { entry, text } = await one(
    smithPax(
      [
        ['mtime', '5'],
        ['uid', '1'],
        ['comment', 'hello'],
      ],
      'g',
    ),
    smithPax([
      ['uid', '3000000'],
      ['gid', '4000000'],
      ['size', '3'],
      ['mtime', '1700000000.123456789'],
      ['SCHILY.xattr.user.a', '\0\x01='],
      ['SCHILY.xattr.user.empty', ''],
      ['LIBARCHIVE.xattr.user.b%25', 'aGk='],
      ['__proto__', 'x'],
    ]),
    smithHeader({ path: 'x', size: 0 }),
    smithData('abc'),
  );
  assert.equal(text, 'abc');
  assert.deepEqual([entry.uid, entry.gid, entry.mtimeNs], [3_000_000, 4_000_000, 1_700_000_000_123_456_789n]);
  assert.deepEqual(
    [...entry.xattrs].map(([key, value]) => [key, value.toString('latin1')]),
    [
      ['user.a', '\0\x01='],
      ['user.empty', ''],
      ['user.b%', 'hi'],
    ],
  );
  const second = await read(smithArchive(smithPax([['mtime', '-1.5']], 'g'), smithHeader({ path: 'x' })));
  assert.equal(second[0]?.entry.mtimeNs, -1_500_000_000n);
});

test('base-256 numbers', async () => {
  const uid = Buffer.from([0x80, 0, 0, 0, 0, 0x2d, 0xc6, 0xc0]);
  const { entry } = await one(smithHeader({ path: 'x', magic: 'gnu', patch: [{ at: 108, bytes: uid }] }));
  assert.equal(entry.uid, 3_000_000);
});

test('signed checksums of old tars are right too', async () => {
  assert.equal((await one(smithHeader({ path: '\xff\xff', checksum: 'signed' }))).entry.path, '\xff\xff');
});

test('sparse files of all four formats', async () => {
  const expected = `${'\0'.repeat(10)}abcde${'\0'.repeat(5)}xyz${'\0'.repeat(2)}`;
  const octal = (n: number) => `${n.toString(8).padStart(11, '0')}\0`;
  const oldGnu = smithHeader({
    path: 's',
    type: 'S',
    magic: 'gnu',
    size: 8,
    patch: [
      { at: 386, bytes: [10, 5, 20, 3, 25, 0].map(octal).join('') },
      { at: 483, bytes: octal(25) },
    ],
  });
  const size: [string, string] = ['GNU.sparse.size', '25'];
  const variants: Record<string, Uint8Array[]> = {
    'old GNU': [oldGnu, smithData('abcdexyz')],
    '0.0': [
      smithPax([
        size,
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '10'],
        ['GNU.sparse.numbytes', '5'],
        ['GNU.sparse.offset', '20'],
        ['GNU.sparse.numbytes', '3'],
      ]),
      smithEntry({ path: 's' }, 'abcdexyz'),
    ],
    '0.1': [
      smithPax([size, ['GNU.sparse.map', '10,5,20,3'], ['GNU.sparse.name', 's']]),
      smithEntry({ path: 'GNUSparseFile.1/s' }, 'abcdexyz'),
    ],
    '1.0': [
      smithPax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 's'],
        ['GNU.sparse.realsize', '25'],
      ]),
      smithEntry(
        { path: 'GNUSparseFile.1/s' },
        Buffer.concat([smithData('2\n10\n5\n20\n3\n'), Buffer.from('abcdexyz')]),
      ),
    ],
  };
  for (const [name, parts] of Object.entries(variants)) {
    for (const chunkSize of [3, 100_000]) {
      const [result, after] = await read(smithArchive(...parts, smithHeader({ path: 'after' })), chunkSize);
      assert.equal(result?.text, expected, name);
      assert.equal(result?.entry.path, 's', name);
      assert.equal(result?.entry.size, 25, name);
      assert.deepEqual(
        result?.entry.sparse,
        [
          { offset: 10, length: 5 },
          { offset: 20, length: 3 },
        ],
        name,
      );
      assert.equal(after?.entry.path, 'after', name);
    }
  }
});

test('the end: two zero blocks, the end of the bytes, anything behind', async () => {
  const entry = smithEntry({ path: 'a' }, 'x');
  assert.equal((await read(entry)).length, 1);
  assert.equal((await read(entry.subarray(0, 513))).length, 1, 'the last padding may be missing');
  assert.equal((await read(Buffer.alloc(0))).length, 0);
  assert.equal((await read(Buffer.concat([smithArchive(entry), Buffer.from('rubbish')]))).length, 1);
  await rejects(Buffer.concat([entry, Buffer.alloc(512), entry]), /lone zero block/);
  await rejects(entry.subarray(0, 700), /truncated/);
  await rejects(entry.subarray(0, 300), /truncated/);
  await rejects(smithEntry({ path: 'a', size: 2000 }, 'x'), /entry "a" at offset 0 is truncated/);
  await rejects(smithPax([['path', 'x']]), /truncated/);
  await rejects(smithArchive(smithPax([['path', 'x']])), /ends after an extended header/);
});

test('breaks of the format are refused with entry and offset', async () => {
  const first = smithEntry({ path: 'first' });
  await rejects(
    smithArchive(first, smithHeader({ path: 'x', checksum: 'bad' })),
    /at offset 512 has a header with a wrong checksum/,
  );
  await rejects(smithArchive(smithHeader({ path: 'x', size: '-0000000001' })), /size/);
  await rejects(smithArchive(smithHeader({ path: 'x', patch: [{ at: 124, bytes: Buffer.alloc(12, 0xff) }] })), /size/);
  await rejects(smithArchive(smithHeader({ path: 'x', patch: [{ at: 124, bytes: Buffer.alloc(12, 0xbf) }] })), /size/);
  await rejects(smithArchive(smithHeader({ path: 'x', uid: 'zzzz' })), /owner/);
  await rejects(smithArchive(smithPax([['uid', '4294967295']]), smithHeader({ path: 'x' })), /owner/);
  await rejects(smithArchive(smithPax([['path', 'a\0b']]), smithHeader({ path: 'x' })), /NUL/);
  await rejects(smithArchive(smithPax([['linkpath', 'a\0b']]), smithHeader({ path: 'x', type: '2' })), /NUL/);
  await rejects(smithArchive(smithPax([['path', 'p'.repeat(4097)]]), smithHeader({ path: 'x' })), /4097 bytes/);
  await rejects(smithArchive(smithLong('L', 'p'.repeat(4097)), smithHeader({ path: 'x' })), /limit/);
  await rejects(smithArchive(smithPax([['comment', 'c'.repeat(1 << 20)]]), smithHeader({ path: 'x' })), /limit/);
  await rejects(smithArchive(smithPax([['mtime', 'now']]), smithHeader({ path: 'x' })), /time/);
  await rejects(smithArchive(smithPax([['size', '-1']]), smithHeader({ path: 'x' })), /size/);
  await rejects(smithArchive(smithPax([['path', 'y']], 'g'), smithHeader({ path: 'x' })), /global/);
  await rejects(smithArchive(smithHeader({ path: '' })), /empty name/);
  await rejects(smithArchive(smithHeader({ path: 'x', type: '2' })), /empty name/);
  await rejects(smithArchive(smithHeader({ path: 'x', type: 'Z' })), /unknown type/);
  await rejects(smithArchive(smithHeader({ path: 'x', type: 'D' })), /unknown type/);
  for (const bad of ['7 a=b', '99 a=b\n', 'x a=b\n', '6 =bc\n', '5 ab\n', '0 a=b\n', ' a=b\n', '1000000000 a=b\n']) {
    await rejects(smithArchive(smithEntry({ path: 'pax', type: 'x' }, bad), smithHeader({ path: 'x' })), /PAX record/);
  }
});

test('the PAX size never applies to a GNU long name: that would show other entries than other engines see', async () => {
  // An engine that reads 1536 bytes of name here swallows the two following headers.
  const bytes = smithArchive(
    smithPax([['size', '1536']]),
    smithLong('L', 'visible'),
    smithEntry({ path: 'x', size: 1536 }, 'd'.repeat(1536)),
  );
  const all = await read(bytes);
  assert.deepEqual(
    all.map(({ entry, text }) => [entry.path, text.length]),
    [['visible', 1536]],
  );
});

test('sparse maps that lie', async () => {
  const pax = (map: string, size = '25') =>
    smithPax([
      ['GNU.sparse.size', size],
      ['GNU.sparse.map', map],
    ]);
  const data = smithEntry({ path: 's' }, 'abcdexyz');
  for (const map of ['10,5,12,3', '20,8', '0,4', '1,2,3', 'a,b', '-1,8', '9007199254740991,8', '5,3,0,5']) {
    await rejects(smithArchive(pax(map), data), /sparse map/);
  }
  const head = (text: string) =>
    smithArchive(
      smithPax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.realsize', '25'],
      ]),
      smithEntry({ path: 's' }, Buffer.concat([smithData(text), Buffer.from('abc')])),
    );
  for (const text of ['', 'x\n', '99999999\n', '1\n1\n', '4000\n1\n2\n', '\n']) await rejects(head(text), /sparse map/);
});
