import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { cgroupProcesses, killCgroup, readCgroupLayout, removeCgroup } from '#src/os/index.js';
import { spawnChild } from '#src/os/spawn.js';
import { newToken } from '#src/util/ids.js';
import { requireRoot } from '#support/require.js';

const layout = readCgroupLayout();

/** A new group in the given hierarchies (default: all that a process can be moved into), gone after the test. */
function makeGroup(t: TestContext, mountPoints: readonly string[] = usable()): string {
  const path = `/caisson-test-${newToken()}`;
  for (const mountPoint of mountPoints) mkdirSync(mountPoint + path);
  t.after(() => {
    killCgroup(layout, path);
    for (let tries = 0; tries < 100 && !removeCgroup(layout, path); tries++)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  });
  return path;
}

/** A cpuset group takes no process before it has cpus and memory nodes. */
function usable(): string[] {
  return layout.mountPoints.filter((mountPoint) => mountPoint !== layout.controllers.get('cpuset'));
}

function sleeper(group: string, mountPoints: readonly string[] = usable()) {
  const child = spawnChild({ file: '/bin/sleep', args: ['60'], stdout: 'null', stderr: 'null' });
  for (const mountPoint of mountPoints) {
    if (existsSync(mountPoint + group)) writeFileSync(`${mountPoint}${group}/cgroup.procs`, String(child.pid));
  }
  return child;
}

async function removed(path: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (removeCgroup(layout, path)) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

const gone = (path: string) => layout.mountPoints.every((mountPoint) => !existsSync(mountPoint + path));

describe('a cgroup', () => {
  it('lists, ends and loses its processes in every hierarchy', async (t) => {
    if (!requireRoot(t)) return;
    const path = makeGroup(t);
    assert.deepEqual(cgroupProcesses(layout, path), []);
    assert.equal(killCgroup(layout, path), false);
    const children = [sleeper(path), sleeper(path)];
    assert.deepEqual(cgroupProcesses(layout, path).sort(), children.map((child) => child.pid).sort());
    assert.equal(removeCgroup(layout, path), false, 'it is busy');
    assert.equal(killCgroup(layout, path), true);
    for (const child of children) assert.equal((await child.exit).signal, 9);
    assert.equal(await removed(path), true);
    assert.ok(gone(path));
    assert.equal(removeCgroup(layout, path), true, 'a second time');
    assert.equal(killCgroup(layout, path), false);
  });

  it('goes with the groups below it', async (t) => {
    if (!requireRoot(t)) return;
    const path = makeGroup(t);
    for (const mountPoint of usable()) mkdirSync(`${mountPoint}${path}/a/b`, { recursive: true });
    const deep = sleeper(`${path}/a/b`);
    assert.deepEqual(cgroupProcesses(layout, path), [deep.pid]);
    assert.equal(killCgroup(layout, path), true);
    assert.equal((await deep.exit).signal, 9);
    assert.equal(await removed(path), true);
    assert.ok(gone(path));
  });

  it('is ended where only one hierarchy has it', async (t) => {
    if (!requireRoot(t)) return;
    const [first] = usable() as [string];
    const path = makeGroup(t, [first]);
    const child = sleeper(path, [first]);
    assert.equal(killCgroup(layout, path), true);
    assert.equal((await child.exit).signal, 9);
    assert.equal(await removed(path), true);
  });

  it('is ended when it is frozen', { timeout: 10_000 }, async (t) => {
    if (!requireRoot(t)) return;
    const freezer = layout.controllers.get('freezer') ?? layout.unified;
    if (freezer === undefined) return t.skip('missing: freezer');
    const path = makeGroup(t, [freezer]);
    const child = sleeper(path, [freezer]);
    const v1 = existsSync(`${freezer}${path}/freezer.state`);
    writeFileSync(`${freezer}${path}/${v1 ? 'freezer.state' : 'cgroup.freeze'}`, v1 ? 'FROZEN' : '1');
    assert.equal(killCgroup(layout, path), true);
    assert.equal((await child.exit).signal, 9);
    assert.equal(await removed(path), true);
  });

  it('is ended at once by cgroup.kill on a v2 host', async (t) => {
    if (!requireRoot(t)) return;
    if (layout.unified === undefined) return t.skip('missing: cgroup v2');
    // The v2 tree of this host, as a host with nothing else would see it.
    const v2 = { mode: 'v2', mountPoints: [layout.unified], controllers: new Map(), unified: layout.unified } as const;
    const path = makeGroup(t, [layout.unified]);
    mkdirSync(`${layout.unified}${path}/below`);
    const children = [sleeper(path, [layout.unified]), sleeper(`${path}/below`, [layout.unified])];
    assert.equal(killCgroup(v2, path), true);
    for (const child of children) assert.equal((await child.exit).signal, 9);
    assert.equal(killCgroup(v2, path), false);
    assert.equal(await removed(path), true);
  });
});
