import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { identifyProcess } from '#src/os/process-identity.js';
import { IntentStore } from '#src/state/index.js';
import { reason, scratch } from './scratch.js';

const temp = scratch();
const owner = identifyProcess(process.pid) as NonNullable<ReturnType<typeof identifyProcess>>;

test('an intent is on disk from begin to done', () => {
  const dir = temp();
  const intents = new IntentStore({ dir });
  const first = intents.begin({ verb: 'create', kind: 'container', id: 'abc', owner, data: { snapshot: 's1' } });
  const second = intents.begin({ verb: 'create', kind: 'container', id: 'abc', owner, durable: false });
  const found = new IntentStore({ dir }).list();
  assert.equal(found.length, 2);
  const one = found.find((intent) => intent.data !== undefined);
  assert.deepEqual(
    [one?.verb, one?.kind, one?.id, one?.owner, one?.data],
    ['create', 'container', 'abc', owner, { snapshot: 's1' }],
  );
  assert.ok(Math.abs((one?.startedAt.getTime() ?? 0) - Date.now()) < 60_000);
  first.done();
  first.done();
  assert.deepEqual(
    intents.list().map((intent) => intent.data),
    [undefined],
  );
  intents.list()[0]?.done();
  second.done();
  assert.deepEqual(readdirSync(dir), []);
});

test('damaged intents are moved aside and reported, foreign ones left', () => {
  const dir = temp();
  const intents = new IntentStore({ dir });
  intents.begin({ verb: 'create', kind: 'container', id: 'bad', owner });
  intents.begin({ verb: 'remove', kind: 'container', id: 'good', owner });
  const bad = readdirSync(dir).find((name) => name.startsWith('bad')) as string;
  writeFileSync(join(dir, bad), readFileSync(join(dir, bad), 'utf8').replace('create', 'delete'));
  writeFileSync(join(dir, 'junk.json'), '{}');
  const { intents: found, problems } = intents.scan();
  assert.deepEqual(
    found.map((intent) => intent.id),
    ['good'],
  );
  assert.deepEqual(
    problems.map((problem) => problem.error.reason),
    ['RECORD_CORRUPT', 'RECORD_CORRUPT'],
  );
  assert.deepEqual(intents.scan().problems, []);
  assert.throws(() => intents.begin({ verb: '../x', kind: 'c', id: 'a', owner }), reason('BAD_NAME'));
});
