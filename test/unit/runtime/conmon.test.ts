import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { spawnChild } from '#src/os/spawn.js';
import { chooseSupervisor, createCliRuntime } from '#src/runtime/index.js';
import { conmonArgs } from '#src/runtime/supervise/conmon/args.js';
import { conmonFiles } from '#src/runtime/supervise/conmon/files.js';
import { parseSyncAnswer, readSyncAnswer } from '#src/runtime/supervise/conmon/sync-answer.js';
import { readExitRecord, removeExitRecord, storeExitRecord } from '#src/runtime/supervise/exit-record.js';
import { shimFiles, shimNamespace, shimSocket } from '#src/runtime/supervise/shim/files.js';

const spawner = { spawn: spawnChild };

test('the command line of conmon', () => {
  const binary = { name: 'runc', flavor: 'runc', path: '/usr/sbin/runc', version: '1.1' } as const;
  const runtime = createCliRuntime({ binary, root: '/run/r', spawner });
  const request = {
    id: 'i',
    name: 'n',
    bundle: '/b',
    runDir: '/run/i',
    logFile: '/l',
    exitDir: '/e',
    runtime,
    terminal: false,
    stdin: true,
    exitCommand: ['/x', '--flag'],
  };
  const args = conmonArgs(request, conmonFiles(request), '/l');
  assert.equal(
    args.join(' '),
    [
      '--api-version -c i -u i -n n -r /usr/sbin/runc -b /b -p /run/i/conmon/init.pid -P /run/i/conmon/conmon.pid',
      '--exit-dir /e --persist-dir /run/i/conmon --full-attach -l k8s-file:/l -i',
      '--runtime-arg --root --runtime-arg /run/r --runtime-arg --log --runtime-arg /run/i/conmon/runtime.log',
      '--runtime-arg --log-format --runtime-arg json --exit-command /x --exit-command-arg --flag',
    ].join(' '),
  );
});

test('answers of conmon, also those that are not JSON', () => {
  assert.deepEqual(parseSyncAnswer('{"data": 8226}'), { pid: 8226 });
  assert.deepEqual(parseSyncAnswer('{"data": -1, "message": "no\\n"}'), { message: 'no' });
  assert.deepEqual(parseSyncAnswer('{"data": -1, "message": "a\u001fb"}'), { message: 'a\u001fb' });
  assert.deepEqual(parseSyncAnswer('{"data": -1}'), { message: '' });
  assert.deepEqual(parseSyncAnswer('garbage'), { message: 'garbage' });
});

test('half an answer is none yet', () => {
  const dir = mkdtempSync(`${tmpdir()}/sync-`);
  try {
    assert.equal(readSyncAnswer(`${dir}/sync`), undefined);
    writeFileSync(`${dir}/sync`, '{"data": 1');
    assert.equal(readSyncAnswer(`${dir}/sync`), undefined);
    writeFileSync(`${dir}/sync`, '{"data": 12}\n');
    assert.deepEqual(readSyncAnswer(`${dir}/sync`), { pid: 12 });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the first exit record of a container stays', () => {
  const dir = mkdtempSync(`${tmpdir()}/exit-`);
  try {
    const exitedAt = new Date('2026-01-02T03:04:05.678Z');
    assert.equal(readExitRecord(dir, 'c'), undefined);
    const first = storeExitRecord(dir, 'c', { exitCode: 137, exitedAt, oomKilled: true });
    assert.deepEqual(first, { exitCode: 137, exitedAt, oomKilled: true });
    assert.deepEqual(storeExitRecord(dir, 'c', { exitCode: -1, exitedAt: new Date(), oomKilled: false }), first);
    removeExitRecord(dir, 'c');
    assert.equal(readExitRecord(dir, 'c'), undefined);
    writeFileSync(`${dir}/c`, '');
    assert.equal(readExitRecord(dir, 'c')?.exitCode, -1);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('namespace and socket of a shim follow from root and run dir', () => {
  assert.deepEqual(shimNamespace('/run/x/runc'), { namespace: 'runc', rootOption: '/run/x' });
  assert.throws(
    () => shimNamespace('/run/-bad'),
    (error) => EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_OPTION'),
  );
  const socket = shimSocket(shimFiles({ runDir: '/run/a', bundle: '/b' }), 'runc', 'c');
  assert.match(socket, /^\/run\/containerd\/s\/[0-9a-f]{64}$/);
  assert.notEqual(socket, shimSocket(shimFiles({ runDir: '/run/b', bundle: '/b' }), 'runc', 'c'));
});

test('the supervisor is chosen by preference and by what there is', () => {
  const all = { conmonPath: '/c', shimPath: '/s', perlPath: '/p', spawner };
  assert.equal(chooseSupervisor('auto', all).name, 'conmon');
  assert.equal(chooseSupervisor('shim', all).name, 'shim');
  assert.equal(chooseSupervisor('auto', { ...all, conmonPath: undefined }).name, 'shim');
  for (const [preference, found] of [
    ['conmon', { ...all, conmonPath: undefined }],
    ['shim', { ...all, perlPath: undefined }],
    ['auto', { spawner }],
  ] as const) {
    assert.throws(
      () => chooseSupervisor(preference, found),
      (error) => EngineError.is(error, undefined, 'SUPERVISOR_MISSING'),
    );
  }
});
