import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { spawnChild } from '#src/os/spawn.js';
import { compareVersions, probeRuntime } from '#src/runtime/index.js';
import { parseVersion } from '#src/runtime/probe.js';

const spawner = { spawn: spawnChild };
const dir = mkdtempSync(`${tmpdir()}/probe-`);
after(() => rmSync(dir, { recursive: true }));

function fake(name: string, script: string): string {
  writeFileSync(`${dir}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${dir}/${name}`;
}

async function reasonOf(path: string, options = {}): Promise<string> {
  try {
    await probeRuntime('mine', path, spawner, options);
    return 'none';
  } catch (error) {
    return EngineError.is(error) ? error.reason : String(error);
  }
}

test('versions as runtimes print them', () => {
  assert.deepEqual(parseVersion('runc version 1.1.5+ds1\ncommit: x\n'), { flavor: 'runc', version: '1.1.5+ds1' });
  assert.deepEqual(parseVersion('crun version 1.8.1\ncommit: f\n'), { flavor: 'crun', version: '1.8.1' });
  assert.deepEqual(parseVersion('youki version: 0.5.0'), undefined);
  assert.deepEqual(parseVersion('kata-runtime  : 3.2'), undefined);
  assert.deepEqual(parseVersion('youki 0.5.0'), { flavor: 'other', version: '0.5.0' });
  assert.equal(parseVersion(''), undefined);
});

test('versions compare by their numbers', () => {
  assert.ok(compareVersions('1.1.5+ds1', '1.1.0') > 0);
  assert.ok(compareVersions('1.10', '1.9.9') > 0);
  assert.equal(compareVersions('1.0', '1.0.0-rc93'), 0);
  assert.ok(compareVersions('0.9', '1') < 0);
});

test('each way a runtime can be unfit has its reason', async () => {
  assert.equal(await reasonOf(fake('good', 'echo runc version 1.2.3')), 'none');
  assert.equal(await reasonOf(`${dir}/absent`), 'RUNTIME_MISSING');
  assert.equal(await reasonOf(dir), 'RUNTIME_MISSING');
  assert.equal(await reasonOf(fake('dies', 'kill -9 $$')), 'RUNTIME_BROKEN');
  assert.equal(await reasonOf(fake('fails', 'exit 3')), 'RUNTIME_BROKEN');
  assert.equal(await reasonOf(fake('garbage', 'echo hello')), 'RUNTIME_BROKEN');
  assert.equal(await reasonOf(fake('old', 'echo runc version 1.0.3')), 'RUNTIME_TOO_OLD');
  assert.equal(await reasonOf(fake('crun', 'echo crun version 1.8.1'), { cgroupMode: 'hybrid' }), 'RUNTIME_UNFIT');
  assert.equal(await reasonOf(fake('crun', 'echo crun version 1.8.1'), { cgroupMode: 'v2' }), 'none');
  writeFileSync(`${dir}/binary`, 'no program', { mode: 0o755 });
  assert.equal(await reasonOf(`${dir}/binary`), 'RUNTIME_BROKEN');
});
