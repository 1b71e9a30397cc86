import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type EngineEvent, EventJournal } from '#src/events/index.js';

const worker = new URL('journal-worker.js', import.meta.url).pathname;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function followUntilFinish(journal: EventJournal, since: number): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of journal.read({ since, follow: true, signal: AbortSignal.timeout(30_000) })) {
    if (event.action === 'finish') break;
    assert.equal(event.type, 'container', 'nothing was removed, so there is nothing to jump over');
    events.push(event);
  }
  return events;
}

/** Each writer's numbers must be 1, 2, 3… up to what it acknowledged; a killed one may have written one more. */
function checkComplete(events: readonly EngineEvent[], dir: string, names: readonly string[]): void {
  const last = new Map<string, number>();
  let seq = -1;
  for (const event of events) {
    assert.ok(event.seq > seq, 'positions grow');
    seq = event.seq;
    const n = Number(event.attributes.n);
    assert.equal(n, (last.get(event.id) ?? 0) + 1, `${event.id}: lost, repeated or out of order`);
    last.set(event.id, n);
  }
  for (const name of names) {
    const acknowledged = Number(readFileSync(join(dir, `ack.${name}`), 'utf8'));
    const seen = last.get(name) ?? 0;
    assert.ok(seen === acknowledged || seen === acknowledged + 1, `${name}: ${seen} seen, ${acknowledged} written`);
  }
}

for (const [maxSegmentBytes, count] of [
  [700, '400'],
  [50_000, '1500'],
] as const) {
  test(`four writers, stopped and killed, segments of ${maxSegmentBytes} bytes: a follower misses nothing`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'caisson-journal-'));
    const journal = new EventJournal({ dir: join(dir, 'events'), maxSegmentBytes, keepSegments: 100_000 });
    try {
      const following = followUntilFinish(journal, 0);
      const names = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5'];
      const start = (name: string): ChildProcess => {
        // Some rotate early, some late: processes need not agree.
        const size = name === 'w1' ? maxSegmentBytes * 2 : maxSegmentBytes;
        return spawn(process.execPath, [worker, dir, name, count, String(size)], { stdio: 'inherit' });
      };
      const children = names.slice(0, 4).map(start);
      const exits = children.map((child) => once(child, 'exit'));
      while (readdirSync(dir).length < 5) await pause(5);
      for (let i = 0; i < 4; i++) {
        await pause(15);
        children[i % 2]?.kill('SIGSTOP');
        await pause(25);
        children[i % 2]?.kill('SIGCONT');
      }
      children[2]?.kill('SIGKILL');
      children[3]?.kill('SIGKILL');
      const late = names.slice(4).map(start);
      exits.push(...late.map((child) => once(child, 'exit')));
      await Promise.all(exits);
      journal.append({ type: 'engine', action: 'finish', id: 'end' });

      const live = await following;
      checkComplete(live, dir, names);
      const history: EngineEvent[] = [];
      for await (const event of journal.read({ follow: false, filter: { type: 'container' } })) history.push(event);
      assert.deepEqual(history, live, 'history is what the follower saw');
      const middle = live[Math.floor(live.length / 2)]?.seq ?? 0;
      assert.deepEqual(await followUntilFinish(journal, middle), live.slice(Math.floor(live.length / 2) + 1));
    } finally {
      journal.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}
