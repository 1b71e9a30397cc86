import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sweepSession } from '#src/containers/ephemeral/sweep.js';
import { SWEEP_SCRIPT } from '#src/containers/ephemeral/sweeper-script.js';
import { killExec } from '#src/containers/process/end-exec.js';
import { readCgroupLayout } from '#src/os/index.js';
import { IMAGE, withEngine } from '#support/engine-bed.js';
import { runOk } from '#support/run.js';

const LAST_PID = '/proc/sys/kernel/ns_last_pid';

/** A process of nobody's engine that leads a group of its own; with a number, it takes that one as a reuse would. */
async function bystander(t: TestContext, wanted?: number): Promise<ChildProcess> {
  for (let tries = 0; tries < 200; tries++) {
    if (wanted !== undefined) writeFileSync(LAST_PID, String(wanted - 1));
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    if (wanted === undefined || child.pid === wanted) {
      t.after(() => child.kill('SIGKILL'));
      return child;
    }
    child.kill('SIGKILL');
  }
  throw new Error(`the number ${wanted} could not be had again`);
}

function lives(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null && existsSync(`/proc/${child.pid}`);
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition());
}

test('whoever has the number of a dead container by now is left alone by kill, stop, remove and recovery', async (t) => {
  await withEngine(t, async ({ engine, open, runDir }) => {
    if (!existsSync(LAST_PID)) return t.skip('missing: ns_last_pid');
    const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '60'] });
    const conmon = Number(readFileSync(`${runDir}/containers/${container.id}/supervisor/conmon/conmon.pid`, 'utf8'));
    const init = Number(readFileSync(`${runDir}/containers/${container.id}/supervisor/conmon/init.pid`, 'utf8'));
    // Nobody is left to note the exit: the record goes on naming these two.
    process.kill(conmon, 'SIGSTOP');
    process.kill(init, 'SIGKILL');
    process.kill(conmon, 'SIGKILL');
    await until(() => !existsSync(`/proc/${init}`) && !existsSync(`/proc/${conmon}`));
    const others = [await bystander(t, init), await bystander(t, conmon)];
    await container.kill('SIGTERM').catch(() => {});
    await container.stop({ timeoutMs: 100 }).catch(() => {});
    const other = await open();
    await (await other.containers.get(container.id)).wait();
    await (await other.containers.get(container.id)).remove({ force: true });
    for (const one of others) assert.ok(lives(one), `${one.pid} was ended`);
  });
});

test('an exec session ends only what runs in its own container', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const own = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
    const other = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
    const outside = await bystander(t);
    const dir = mkdtempSync(join(tmpdir(), 'caisson-session-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const cgroups = readCgroupLayout();
    // As a dead host has left it, whose execs have ended and whose numbers went to others.
    const sweeps = {
      code: () => sweepSession({ cgroupParent: '/caisson-none', cgroups }, join(dir, 'code')),
      script: () =>
        runOk('/bin/sh', [
          '-c',
          SWEEP_SCRIPT,
          'sweep',
          '2147483646',
          join(dir, 'script'),
          '/caisson-none',
          ...cgroups.mountPoints,
        ]),
    };
    for (const [name, sweep] of Object.entries(sweeps)) {
      for (const [token, pid] of Object.entries({ a: other.pid, b: outside.pid, c: 0, d: 1, e: -1 })) {
        const session = join(dir, name, 'x', `${own.id}.${token}`);
        mkdirSync(session, { recursive: true });
        writeFileSync(join(session, 'pid'), String(pid));
        if (pid === other.pid || pid === outside.pid) assert.equal(killExec(session, own.id), true);
      }
      await sweep();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(other.running && lives(outside), name);
      assert.ok(!existsSync(join(dir, name, 'x')), `${name} did its work`);
    }
    // And what does run in it is ended.
    const sleeper = await own.spawn(['sleep', '60']);
    await until(() => own.running);
    sleeper.kill('SIGKILL');
    await own[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    assert.equal(own.kill('SIGTERM'), false);
  });
});

test('a throwaway container that has just ended signals nobody', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
    const { pid } = box;
    process.kill(pid, 'SIGKILL');
    // In the time until this process hears of it, the number is free.
    while (existsSync(`/proc/${pid}`)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    const other = takeNow(t, pid);
    if (other !== undefined) {
      box.kill('SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(lives(other));
    }
    await box[Symbol.asyncDispose]();
  });
});

/** Without a turn of the event loop, so that the engine can't have heard of the end. */
function takeNow(t: TestContext, wanted: number): ChildProcess | undefined {
  for (let tries = 0; tries < 200; tries++) {
    writeFileSync(LAST_PID, String(wanted - 1));
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    if (child.pid === wanted) return child;
    child.kill('SIGKILL');
  }
  return undefined;
}
