import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { forgetEarlierBoot } from '#src/engine/forget-earlier-boot.js';
import { tempDir } from '#support/roots.js';

function makeRunDir(run: string): void {
  for (const path of [
    'runtime/runc/c1',
    'runtime/crun/c2',
    'sessions/s1/x/t1',
    'sessions/s1/c/c1',
    'sessions/.s2',
    'containers/c3',
  ])
    mkdirSync(join(run, path), { recursive: true });
  writeFileSync(join(run, 'runtime/runc/c1/state.json'), '{}');
  writeFileSync(join(run, 'sessions/s1/x/t1/pid'), '1234');
  writeFileSync(join(run, 'sessions/s1/lock'), '');
}

const tree = (dir: string) => readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();

describe('a run dir that outlived a reboot', () => {
  it('keeps names and loses what speaks of processes', async (t) => {
    const run = tempDir(t);
    const layout = { runPath: (...parts: readonly string[]) => join(run, ...parts) };
    makeRunDir(run);
    await forgetEarlierBoot(layout, 'boot-1');
    assert.equal(readFileSync(join(run, 'boot-id'), 'utf8'), 'boot-1');
    assert.ok(existsSync(join(run, 'sessions/s1/x/t1/pid')), 'the first boot that leaves its mark');

    const before = tree(run);
    await forgetEarlierBoot(layout, 'boot-1');
    assert.deepEqual(tree(run), before, 'the same boot');

    await Promise.all(Array.from({ length: 5 }, () => forgetEarlierBoot(layout, 'boot-2')));
    const after = tree(run).filter((path) => !path.startsWith('recover.lock'));
    assert.deepEqual(after, [
      'boot-id',
      'containers',
      'containers/c3',
      'runtime',
      'runtime/crun',
      'runtime/runc',
      'sessions',
      'sessions/.s2',
      'sessions/s1',
      'sessions/s1/c',
      'sessions/s1/c/c1',
      'sessions/s1/lock',
      'sessions/s1/x',
    ]);
    assert.equal(readFileSync(join(run, 'boot-id'), 'utf8'), 'boot-2');
  });

  it('may be empty', async (t) => {
    const run = tempDir(t);
    const layout = { runPath: (...parts: readonly string[]) => join(run, ...parts) };
    await forgetEarlierBoot(layout, 'boot-1');
    await forgetEarlierBoot(layout, 'boot-2');
    assert.equal(readFileSync(join(run, 'boot-id'), 'utf8'), 'boot-2');
  });
});
