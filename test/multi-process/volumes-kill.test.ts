import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readMountInfo } from '#src/os/index.js';
import { VolumeStore } from '#src/volumes/store/index.js';
import { requireRoot } from '#support/require.js';
import { withTempRoot } from '#support/roots.js';

const WORKER = join(import.meta.dirname, 'volumes-worker.js');
const PROCESSES = 3;
const RUN_MS = process.env['CAISSON_TEST_LONG'] === '1' ? 60_000 : 12_000;

interface Line {
  readonly time: bigint;
  readonly word: string;
  readonly operation: string;
  readonly volume: string;
  readonly holder: string;
  readonly text: string;
  /** The same in the lines of one call. */
  readonly call: string;
}

describe('volumes of processes that are killed', () => {
  it('are never lost, never removed while held, and leave no mount', { timeout: RUN_MS + 60_000 }, async (t) => {
    if (!requireRoot(t)) return;
    await withTempRoot(async ({ dir }) => {
      const kills = await runWorkers(dir);
      const lines = readLogs(dir);
      const acknowledged = lines.filter(({ word }) => word === 'ok').length;
      t.diagnostic(`${kills} kills, ${acknowledged} acknowledged operations`);
      assert.ok(kills >= 10 && acknowledged > 200, `${kills} kills, ${acknowledged} operations`);
      assert.deepEqual(
        lines
          .filter(({ word }) => word === 'bad')
          .map(({ operation, volume, holder, text }) => `${operation} ${volume} ${holder} ${text}`)
          .slice(0, 5),
        [],
      );
      checkRemovals(lines);
      const store = await VolumeStore.open({ root: join(dir, 'root'), runDir: join(dir, 'run') });
      await store.recovered();
      try {
        await checkHolders(store, lines);
        await checkVolumes(store, lines);
        await checkNothingIsLeft(store, dir);
      } finally {
        await store.close();
      }
    });
  });
});

async function runWorkers(dir: string): Promise<number> {
  mkdirSync(join(dir, 'root'), { recursive: true });
  writeFileSync(join(dir, 'go'), '');
  let started = 0;
  let kills = 0;
  const start = (): ChildProcess =>
    spawn(process.execPath, [WORKER, dir, `w${started++}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  const workers = Array.from({ length: PROCESSES }, start);
  try {
    const endsAt = Date.now() + RUN_MS;
    while (Date.now() < endsAt) {
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
      const victim = Math.floor(Math.random() * PROCESSES);
      workers[victim]?.kill('SIGKILL');
      kills++;
      workers[victim] = start();
    }
  } finally {
    rmSync(join(dir, 'go'));
    // Half end by themselves, the others in the middle.
    workers[0]?.kill('SIGKILL');
    await Promise.all(
      workers.map((worker) => (worker.exitCode ?? worker.signalCode) === null && once(worker, 'close')),
    );
  }
  return kills;
}

function readLogs(dir: string): Line[] {
  const lines: Line[] = [];
  for (const name of readdirSync(dir).filter((name) => name.startsWith('log.'))) {
    for (const text of readFileSync(join(dir, name), 'utf8').split('\n')) {
      const [time = '', word = '', operation = '', volume = '', holder = '', rest = '', call = ''] = text.split(' ');
      if (time !== '') lines.push({ time: BigInt(time), word, operation, volume, holder, text: rest, call });
    }
  }
  return lines.sort((a, b) => (a.time < b.time ? -1 : 1));
}

/** A removal that began after a hold was acknowledged and ended before its release began removed a held volume. */
function checkRemovals(lines: readonly Line[]): void {
  const held = new Map<string, { volume: string; from: bigint; to?: bigint }>();
  const given = new Set<string>();
  for (const { time, word, operation, volume, holder } of lines) {
    // A throwaway hold ends with its process, at a time that no log tells.
    if (holder === '-' || holder === 'shared' || holder.startsWith('e')) continue;
    const key = `${volume} ${holder}`;
    // Anybody may release what nobody keeps, even before its hold is acknowledged.
    if (word === 'try' && operation === 'release') {
      given.add(key);
      const hold = held.get(key);
      if (hold !== undefined) hold.to ??= time;
    }
    if (word === 'ok' && operation === 'hold' && !given.has(key)) held.set(key, { volume, from: time });
  }
  const open = new Map<string, bigint>();
  for (const { time, word, operation, volume, call } of lines) {
    if (operation !== 'remove') continue;
    if (word === 'try') open.set(call, time);
    if (word !== 'ok') continue;
    const from = open.get(call) as bigint;
    for (const [who, hold] of held) {
      const inside = hold.volume === volume && hold.from < from && (hold.to === undefined || time < hold.to);
      assert.ok(!inside, `${volume} was removed while ${who} held it`);
    }
  }
}

/** Holds that were acknowledged and never given up are there, with what was written; no others but those in doubt. */
async function checkHolders(store: VolumeStore, lines: readonly Line[]): Promise<void> {
  const sure = new Set<string>();
  const possible = new Set<string>();
  const given = new Set<string>();
  for (const { word, operation, volume, holder } of lines) {
    const key = `${volume} ${holder}`;
    if (operation === 'hold' && word === 'try') possible.add(key);
    if (operation === 'hold' && word === 'no') possible.delete(key);
    if (operation === 'release') given.add(key);
    if (operation === 'hold' && word === 'ok') sure.add(key);
    if (operation === 'release' && word === 'ok') possible.delete(key);
  }
  const found = new Set<string>();
  for (const { name } of (await store.list()).volumes) {
    for (const { id } of store.whoUses(name)) if (id !== 'shared') found.add(`${name} ${id}`);
  }
  for (const key of found) {
    assert.ok(possible.has(key), `${key} holds but never did or was released`);
    assert.ok(!key.includes(' e'), `${key} holds though its process is gone`);
  }
  for (const key of sure) {
    const [volume = '', holder = ''] = key.split(' ');
    if (holder.startsWith('e') || given.has(key)) continue;
    assert.ok(found.has(key), `the hold ${key} was lost`);
    if (!holder.startsWith('k')) continue;
    const { mountpoint } = await store.get(volume);
    assert.ok(existsSync(join(mountpoint as string, holder)), `what ${key} wrote is lost`);
  }
}

/** A volume whose creation was acknowledged and that nobody tried to remove after that is there, with its label. */
async function checkVolumes(store: VolumeStore, lines: readonly Line[]): Promise<void> {
  const made = new Map<string, { label: string; time: bigint }>();
  const removed = new Map<string, bigint>();
  for (const { time, word, operation, volume, text } of lines) {
    if (operation === 'create' && word === 'ok') made.set(volume, { label: text, time });
    if (operation === 'remove' || operation === 'prune') removed.set(volume, time);
  }
  for (const [volume, { label, time }] of made) {
    if ((removed.get(volume) ?? 0n) > time) continue;
    const found = await store.find(volume);
    assert.equal(found?.labels['label'], label, `volume ${volume}`);
  }
}

async function checkNothingIsLeft(store: VolumeStore, dir: string): Promise<void> {
  const { volumes, warnings } = await store.list();
  assert.deepEqual(warnings, []);
  for (const { name } of volumes) {
    for (const { id } of store.whoUses(name)) await store.release(name, id);
    await store.remove(name);
  }
  for (const path of ['root/v1/volumes/records', 'root/v1/volumes/holders', 'run/volumes/uses', 'run/volumes/locks']) {
    assert.deepEqual(readdirSync(join(dir, path)), [], path);
  }
  assert.deepEqual(
    readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(dir)),
    [],
  );
}
