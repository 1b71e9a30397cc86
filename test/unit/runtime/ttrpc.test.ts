import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import {
  bytesField,
  decodeMessage,
  encodeMessage,
  numberField,
  stringField,
} from '#src/runtime/supervise/shim/protobuf.js';
import { decodeState, decodeWait, encodeCreate } from '#src/runtime/supervise/shim/task-messages.js';
import { TtrpcClient } from '#src/runtime/supervise/shim/ttrpc/client.js';
import { encodeFrame, type Frame, FrameReader } from '#src/runtime/supervise/shim/ttrpc/frame.js';

test('frames survive any chunking', () => {
  const sent = [
    encodeFrame(1, 1, Buffer.from('one')),
    encodeFrame(3, 2, Buffer.alloc(0)),
    encodeFrame(5, 1, randomBytes(3000)),
  ];
  assert.deepEqual([...(sent[0] as Buffer)], [0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 0x6f, 0x6e, 0x65]);
  const bytes = Buffer.concat(sent);
  for (const size of [1, 2, 7, 11, 4096]) {
    const reader = new FrameReader();
    const got: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size) got.push(...reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(
      got.map(({ stream, type, payload }) => encodeFrame(stream, type, payload)),
      sent,
    );
  }
});

test('a frame over 4 MiB is refused from its header on', () => {
  assert.throws(
    () => new FrameReader().push(Buffer.from('ffffffff000000010200', 'hex')),
    (error) => EngineError.is(error, undefined, 'TTRPC_FAILED'),
  );
  assert.throws(() => encodeFrame(1, 1, Buffer.alloc((4 << 20) + 1)));
});

test('protobuf fields go out and come back', () => {
  const bytes = encodeMessage([
    [1, 'id'],
    [2, 300],
    [3, true],
    [4, false],
    [5, ''],
    [16, Buffer.from([1, 2])],
    [17, 2n ** 63n],
    [18, undefined],
  ]);
  assert.equal(bytes.subarray(0, 9).toString('hex'), '0a02696410ac021801');
  const fields = decodeMessage(bytes);
  assert.equal(stringField(fields, 1), 'id');
  assert.equal(numberField(fields, 2), 300);
  assert.equal(numberField(fields, 3), 1);
  assert.deepEqual([...fields.keys()], [1, 2, 3, 16, 17]);
  assert.equal(fields.get(17)?.[0], 2n ** 63n);
  assert.deepEqual(bytesField(fields, 16), Buffer.from([1, 2]));
});

test('random bytes decode or are refused, and nothing else happens', () => {
  for (let i = 0; i < 3000; i++) {
    try {
      decodeMessage(randomBytes(i % 40));
    } catch (error) {
      assert.ok(EngineError.is(error, undefined, 'TTRPC_FAILED'));
    }
  }
});

test('task messages', () => {
  const timestamp = encodeMessage([
    [1, 1_700_000_000],
    [2, 500_000_000],
  ]);
  const state = encodeMessage([
    [1, 'c'],
    [3, 42],
    [4, 3],
    [9, 137],
    [10, timestamp],
  ]);
  const exitedAt = new Date(1_700_000_000_500);
  assert.deepEqual(decodeState(state), { pid: 42, status: 'stopped', exitCode: 137, exitedAt });
  assert.deepEqual(
    decodeWait(
      encodeMessage([
        [1, 3],
        [2, timestamp],
      ]),
    ),
    { exitCode: 3, exitedAt },
  );
  assert.equal(decodeState(Buffer.alloc(0)).status, 'unknown');
  const create = decodeMessage(
    encodeCreate({
      id: 'c',
      bundle: '/b',
      terminal: false,
      stdin: '',
      stdout: '/o',
      stderr: '/e',
      binaryName: '/runc',
      root: '/r',
    }),
  );
  const any = decodeMessage(bytesField(create, 10));
  assert.equal(stringField(any, 1), 'containerd.runc.v1.Options');
  assert.equal(stringField(decodeMessage(bytesField(any, 2)), 6), '/runc');
  assert.equal(stringField(decodeMessage(bytesField(any, 2)), 7), '/r');
});

test('the client matches answers that come out of order, and fails what is open when the server goes', async () => {
  const dir = mkdtempSync(`${tmpdir()}/ttrpc-`);
  const path = `${dir}/s`;
  let peer: Socket | undefined;
  const held: Frame[] = [];
  const answer = (frame: Frame, fields: Parameters<typeof encodeMessage>[0]) =>
    peer?.write(encodeFrame(frame.stream, 2, encodeMessage(fields)));
  const server = createServer((socket) => {
    peer = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      for (const frame of reader.push(chunk)) {
        const method = stringField(decodeMessage(frame.payload), 2);
        if (method === 'Slow') held.push(frame);
        else if (method === 'Fail')
          answer(frame, [
            [
              1,
              encodeMessage([
                [1, 5],
                [2, 'no such task'],
              ]),
            ],
          ]);
        else answer(frame, [[2, Buffer.from(method)]]);
      }
    });
  }).listen(path);
  try {
    using client = await TtrpcClient.connect(path, 'service');
    const slow = client.call('Slow', Buffer.alloc(0));
    assert.equal((await client.call('Fast', Buffer.alloc(0))).toString(), 'Fast');
    answer(held.shift() as Frame, [[2, Buffer.from('late')]]);
    assert.equal((await slow).toString(), 'late');
    await assert.rejects(client.call('Fail', Buffer.alloc(0)), (error) => {
      assert.ok(EngineError.is(error, undefined, 'TTRPC_FAILED'));
      assert.equal(error.details.grpcCode, 5);
      return true;
    });
    const signal = AbortSignal.timeout(20);
    await assert.rejects(client.call('Slow', Buffer.alloc(0), { signal }), (error) =>
      EngineError.is(error, 'DEADLINE_EXCEEDED'),
    );
    const open = client.call('Slow', Buffer.alloc(0));
    setTimeout(() => peer?.destroy(), 20);
    await assert.rejects(open, (error) => EngineError.is(error, undefined, 'SUPERVISOR_GONE'));
    await assert.rejects(client.call('Fast', Buffer.alloc(0)), (error) =>
      EngineError.is(error, undefined, 'SUPERVISOR_GONE'),
    );
  } finally {
    server.close();
    rmSync(dir, { recursive: true });
  }
  await assert.rejects(TtrpcClient.connect(path, 'service'), (error) =>
    EngineError.is(error, undefined, 'SUPERVISOR_GONE'),
  );
});
