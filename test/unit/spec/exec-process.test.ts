import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildExecProcess, DEFAULT_CAPABILITIES, generateSpec } from '#src/spec/index.js';
import { FACTS, specInput } from '#support/spec-fixtures.js';
import { throwsReason } from '#support/throws-reason.js';

const base = generateSpec(
  specInput({ env: { A: '1', B: '2' }, capDrop: ['KILL'], tty: true, noNewPrivileges: true }),
).process;
const USER = { uid: 7, gid: 8, additionalGids: [8, 9], home: '/seven' };

describe('buildExecProcess', () => {
  it('runs another command with the rights of the container', () => {
    const process = buildExecProcess(base, { command: ['ls', '-l'] });
    assert.deepEqual(process.args, ['ls', '-l']);
    assert.equal(process.terminal, false);
    assert.equal(process.cwd, base.cwd);
    assert.equal(process.noNewPrivileges, true);
    assert.deepEqual(process.env, base.env);
    assert.deepEqual(process.capabilities, base.capabilities);
    assert.equal(process.capabilities?.bounding.includes('CAP_KILL'), false);
  });

  it('gives another user their home, groups and no active capability', () => {
    const process = buildExecProcess(base, { command: ['id'], user: USER, containerHome: '/root' });
    assert.deepEqual(process.user, { uid: 7, gid: 8, umask: 0o022, additionalGids: [8, 9] });
    assert.ok(process.env.includes('HOME=/seven'));
    assert.deepEqual(process.capabilities?.effective, []);
    assert.deepEqual(process.capabilities?.permitted, []);
    assert.deepEqual(process.capabilities?.inheritable, []);
    assert.deepEqual(process.capabilities?.bounding, base.capabilities?.bounding);
    const chosen = buildExecProcess(base, { command: ['id'], user: USER, containerHome: '/other' });
    assert.ok(chosen.env.includes('HOME=/root'), 'a HOME that was set on purpose stays');
  });

  it('has all capabilities when privileged', () => {
    const process = buildExecProcess(base, { command: ['id'], privileged: true, hostFacts: FACTS });
    assert.equal(process.capabilities?.effective.length, 41);
    assert.deepEqual(process.capabilities?.inheritable, []);
    assert.equal(DEFAULT_CAPABILITIES.length, 14);
  });

  it('puts its environment over that of the container', () => {
    const { env } = buildExecProcess(base, { command: ['x'], env: ['B=3', 'C=4'], tty: true });
    assert.deepEqual(env.slice(-3), ['A=1', 'B=3', 'C=4']);
  });

  it('refuses no command, bad directories and bad entries', () => {
    throwsReason(() => buildExecProcess(base, { command: [] }), 'NO_COMMAND');
    throwsReason(() => buildExecProcess(base, { command: ['x'], workingDir: '/proc/self/fd/3' }), 'BAD_WORKING_DIR');
    throwsReason(() => buildExecProcess(base, { command: ['x'], env: ['A'] }), 'BAD_ENV', 'env[0]');
  });
});
