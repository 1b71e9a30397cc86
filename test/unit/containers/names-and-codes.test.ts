import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerCgroup } from '#src/containers/cgroup-path.js';
import { exitCodeOf, withExitCode } from '#src/containers/exit-codes.js';
import { readableName } from '#src/containers/readable-names.js';
import { loadImageConfig, storeImage } from '#src/containers/record.js';
import { EngineError, engineError } from '#src/errors/index.js';
import { SAFE_NAME } from '#src/util/ids.js';

describe('readable names', () => {
  it('are safe, short, and many', () => {
    const names = Array.from({ length: 2000 }, readableName);
    for (const name of names) {
      assert.match(name, /^[a-z]+-[a-z]+-[1-9]\d{2}$/);
      assert.match(name, SAFE_NAME);
      assert.ok(name.length <= 32);
    }
    assert.ok(new Set(names).size > 1990, 'hardly one comes twice');
  });
});

describe('exit codes of errors', () => {
  it('are those of docker run', () => {
    assert.equal(exitCodeOf(engineError('COMMAND_NOT_FOUND', 'x')), 127);
    assert.equal(exitCodeOf(engineError('COMMAND_NOT_EXECUTABLE', 'x')), 126);
    assert.equal(exitCodeOf(engineError('IMAGE_NOT_FOUND', 'x')), 125);
    assert.equal(exitCodeOf(new Error('x')), 125);
    assert.equal(exitCodeOf(undefined), 125);
  });

  it('go into the details of the error, which stays as it is otherwise', () => {
    const cause = new Error('runtime');
    const error = engineError('COMMAND_NOT_FOUND', 'no such file', { details: { command: 'x' }, cause });
    const coded = withExitCode(error) as EngineError;
    assert.ok(EngineError.is(coded, error.code, error.reason));
    assert.deepEqual(coded.details, { command: 'x', exitCode: 127 });
    assert.equal(coded.message, error.message);
    assert.equal(coded.cause, cause);
    const other = new Error('not ours');
    assert.equal(withExitCode(other), other);
  });
});

describe('the cgroup of a container', () => {
  it('is a direct child of the parent', () => {
    assert.equal(containerCgroup('/machine', 'abc'), '/machine/caisson-abc');
    assert.equal(containerCgroup('', 'abc'), '/caisson-abc');
  });
});

describe('the image in a record', () => {
  it('comes back through JSON with its labels in order, __proto__ too', () => {
    const labels = new Map([
      ['__proto__', 'a'],
      ['b', ''],
      ['constructor', 'c'],
      ['1', 'number-like names keep their place'],
    ]);
    const config = { labels, env: ['A=1'], entrypoint: undefined } as unknown as Parameters<
      typeof storeImage
    >[0]['config'];
    const stored = storeImage({ id: 'sha256:x', chainId: undefined, config }, 'app:1');
    const loaded = loadImageConfig(JSON.parse(JSON.stringify(stored)));
    assert.deepEqual([...loaded.labels], [...labels]);
    assert.deepEqual(loaded.env, ['A=1']);
    assert.equal(stored.reference, 'app:1');
  });
});
