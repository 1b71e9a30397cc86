import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { deleteArgs, execArgs, globalArgs, killArgs, runArgs } from '#src/runtime/cli/args.js';

test('arguments of each verb', () => {
  assert.deepEqual(globalArgs('/r', undefined), ['--root', '/r']);
  assert.deepEqual(globalArgs('/r', '/l'), ['--root', '/r', '--log', '/l', '--log-format', 'json']);
  assert.deepEqual(runArgs({ id: 'a', bundle: '/b' }), ['run', '--bundle', '/b', 'a']);
  assert.deepEqual(runArgs({ id: 'a', bundle: '/b', pidFile: '/p' }), [
    'run',
    '--bundle',
    '/b',
    '--pid-file',
    '/p',
    'a',
  ]);
  assert.deepEqual(execArgs({ id: 'a', processFile: '/f' }), ['exec', '--process', '/f', 'a']);
  assert.deepEqual(deleteArgs('a'), ['delete', '--force', 'a']);
});

test('signals become numbers and nothing else passes', () => {
  assert.deepEqual(killArgs('a', 'SIGKILL', false), ['kill', 'a', '9']);
  assert.deepEqual(killArgs('a', 'TERM', true), ['kill', '--all', 'a', '15']);
  assert.deepEqual(killArgs('a', 34, false), ['kill', 'a', '34']);
  assert.deepEqual(killArgs('a', '64', false), ['kill', 'a', '64']);
  for (const bad of ['--all', '', 'SIGNOPE', '0', '65', 0, 65, 1.5, '-9', 'toString']) {
    assert.throws(
      () => killArgs('a', bad, false),
      (error) => EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_SIGNAL'),
      String(bad),
    );
  }
});
