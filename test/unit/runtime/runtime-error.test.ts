import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { spawnChild } from '#src/os/spawn.js';
import { classifyMessage, createCliRuntime, lastErrorMessage } from '#src/runtime/cli/index.js';

/** Collected from runc 1.1.5 and crun 1.8.1. */
const MESSAGES: readonly [string, string][] = [
  [
    'COMMAND_NOT_FOUND',
    'runc run failed: unable to start container process: exec: "nope": executable file not found in $PATH',
  ],
  [
    'COMMAND_NOT_FOUND',
    'exec failed: unable to start container process: exec: "/bin/nope": stat /bin/nope: no such file or directory',
  ],
  [
    'COMMAND_NOT_FOUND',
    'runc create failed: unable to start container process: exec: "/etc/file/x": stat /etc/file/x: not a directory',
  ],
  ['COMMAND_NOT_FOUND', 'exec /bin/badinterp: no such file or directory'],
  ['COMMAND_NOT_FOUND', 'executable file `nope` not found in $PATH: No such file or directory'],
  ['COMMAND_NOT_FOUND', 'executable file `/bin/nope` not found: No such file or directory'],
  ['COMMAND_NOT_FOUND', 'open executable: Not a directory'],
  [
    'COMMAND_NOT_FOUND',
    'exec container process (missing dynamic library?) `/bin/badinterp`: No such file or directory',
  ],
  ['COMMAND_NOT_FOUND', 'exec: No such file or directory'],
  [
    'COMMAND_NOT_EXECUTABLE',
    'runc run failed: unable to start container process: exec: "/bin/noexec": permission denied',
  ],
  ['COMMAND_NOT_EXECUTABLE', 'runc run failed: unable to start container process: exec: "/bin/dir": is a directory'],
  ['COMMAND_NOT_EXECUTABLE', 'exec /bin/text: exec format error'],
  ['COMMAND_NOT_EXECUTABLE', 'open executable: Permission denied'],
  ['COMMAND_NOT_EXECUTABLE', 'open executable: Operation not permitted'],
  ['COMMAND_NOT_EXECUTABLE', 'exec container process `/bin/text`: Exec format error'],
  ['COMMAND_NOT_EXECUTABLE', 'exec: Exec format error'],
  [
    'BAD_WORKING_DIR',
    'exec failed: unable to start container process: chdir to cwd ("/etc/file") set in config.json failed: not a directory',
  ],
  [
    'BAD_WORKING_DIR',
    'runc run failed: unable to start container process: error during container init: mkdir /etc/file: not a directory',
  ],
  ['BAD_WORKING_DIR', 'chdir `/etc/file`: Not a directory'],
  [
    'RUNTIME_FAILED',
    'runc run failed: unable to start container process: error during container init: error mounting "/nosuch" to rootfs at "/x": stat /nosuch: no such file or directory',
  ],
  ['RUNTIME_FAILED', "error stat'ing file `/nosuch`: No such file or directory"],
  ['RUNTIME_FAILED', 'runc run failed: chdir /tmp/none: no such file or directory'],
  ['RUNTIME_FAILED', 'container with given ID already exists'],
  ['RUNTIME_FAILED', ''],
];

test('messages of runc and crun have their reasons', () => {
  for (const [reason, message] of MESSAGES) assert.equal(classifyMessage(message), reason, message);
});

test('the last error of a JSON log counts, whatever stands around it', () => {
  assert.equal(lastErrorMessage('{"level":"error","msg":"a","time":"t"}\n{"level":"warning","msg":"w"}\n'), 'a');
  assert.equal(
    lastErrorMessage('{"msg":"fail startup","level":"error"}\n{"msg":"setns","level":"error"}\n{"msg":"cut'),
    'setns',
  );
  assert.equal(lastErrorMessage('plain text\n{"level":1,"msg":{}}\n[]\nnull'), undefined);
});

test('readError reads the log first, and stderr only where it is the runtime speaking of the command', () => {
  const dir = mkdtempSync(`${tmpdir()}/read-error-`);
  try {
    const binary = { name: 'runc', flavor: 'runc', path: '/bin/true', version: '1' } as const;
    const runtime = createCliRuntime({ binary, root: dir, spawner: { spawn: spawnChild } });
    const failed = (stderr: string) => ({ argv: ['runc'], exitCode: 1, stderr });
    writeFileSync(`${dir}/log`, '{"level":"error","msg":"boom"}\n');
    writeFileSync(`${dir}/empty`, '');
    const reason = (log: string, stderr?: string) =>
      (
        runtime.readError(`${dir}/${log}`, stderr === undefined ? undefined : failed(stderr)) as
          | { reason?: string }
          | undefined
      )?.reason;
    assert.equal(reason('log', 'exec /bin/text: exec format error\n'), 'RUNTIME_FAILED');
    assert.equal(reason('empty', 'exec /bin/text: exec format error\n'), 'COMMAND_NOT_EXECUTABLE');
    assert.equal(
      reason('empty', '{"msg":"exec container process `/bin/t`: Exec format error","level":"error"}\n'),
      'COMMAND_NOT_EXECUTABLE',
    );
    assert.equal(reason('empty', 'output of the program\nexec /bin/text: exec format error\n'), undefined);
    assert.equal(reason('empty', 'my program failed\n'), undefined);
    assert.equal(reason('missing'), undefined);
    const error = runtime.readError(`${dir}/log`, failed('x'.repeat(5000)));
    assert.ok(EngineError.is(error));
    assert.equal(String(error.details.stderr).length, 2000);
    assert.equal(error.details.message, 'boom');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
