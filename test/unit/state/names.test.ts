import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NameIndex, resolveIdPrefix } from '#src/state/index.js';
import { reason, scratch } from './scratch.js';

const temp = scratch();
const live = () => true;
const gone = () => false;

test('a name has one holder until that one releases it', () => {
  const names = new NameIndex({ dir: temp() });
  names.claim('web', 'id1', live);
  names.claim('web', 'id1', live);
  assert.throws(() => names.claim('web', 'id2', live), reason('NAME_TAKEN', { name: 'web', holder: 'id1' }));
  names.release('web', 'id2');
  assert.equal(names.find('web'), 'id1');
  names.claim('db', 'id2', live, { durable: false });
  assert.deepEqual(
    names.list(),
    new Map(
      [
        ['web', 'id1'],
        ['db', 'id2'],
      ].sort() as [string, string][],
    ),
  );
  names.release('web', 'id1');
  names.release('web', 'id1');
  assert.equal(names.find('web'), undefined);
  names.claim('web', 'id2', gone);
  assert.equal(names.find('web'), 'id2');
});

test('the name of a holder that is gone can be taken, and nothing else is left in the index', () => {
  const dir = temp();
  const names = new NameIndex({ dir });
  names.claim('web', 'dead', live);
  names.claim('web', 'id2', (id) => id !== 'dead');
  assert.equal(names.find('web'), 'id2');
  assert.deepEqual(readdirSync(dir), ['web']);
});

test('one who frees a dead holder late does not remove the claim that followed', () => {
  const dir = temp();
  const names = new NameIndex({ dir });
  const other = new NameIndex({ dir });
  names.claim('web', 'dead', live);
  assert.throws(
    () =>
      names.claim('web', 'slow', (id) => {
        // While this caller thinks about the dead holder, another takes the name over.
        if (id === 'dead') other.claim('web', 'quick', gone);
        return id === 'quick';
      }),
    reason('NAME_TAKEN', { holder: 'quick' }),
  );
  assert.equal(names.find('web'), 'quick');
});

test('a sweep removes names that a killed process left without a holder, and no others', () => {
  const dir = temp();
  const names = new NameIndex({ dir });
  names.claim('held', 'id1', live);
  mkdirSync(join(dir, 'released'));
  assert.equal(names.sweep(), 1);
  assert.deepEqual(readdirSync(dir), ['held']);
  assert.equal(names.find('held'), 'id1');
});

test('names and ids are checked before they become paths', () => {
  const names = new NameIndex({ dir: temp() });
  assert.throws(() => names.claim('../x', 'id', live), reason('BAD_NAME'));
  assert.throws(() => names.claim('x', '../id', live), reason('BAD_NAME'));
  names.claim('constructor', 'hasOwnProperty', live);
  assert.equal(names.find('constructor'), 'hasOwnProperty');
});

test('an id prefix means the one id that starts with it', () => {
  const ids = ['abc1', 'abc2', 'abd', 'ab'];
  assert.equal(resolveIdPrefix(ids, 'abd', 'container'), 'abd');
  assert.equal(resolveIdPrefix(ids, 'abc2', 'container'), 'abc2');
  assert.equal(resolveIdPrefix(ids, 'ab', 'container'), 'ab');
  assert.equal(resolveIdPrefix(ids, 'x', 'container'), undefined);
  assert.equal(resolveIdPrefix(['abc'], '', 'container'), undefined);
  assert.throws(
    () => resolveIdPrefix(ids, 'a', 'box'),
    reason('AMBIGUOUS_ID', { matches: ['ab', 'abc1', 'abc2', 'abd'] }),
  );
  const many = Array.from({ length: 50 }, (_, i) => `a${i}`);
  assert.throws(() => resolveIdPrefix(many, 'a', 'box'), reason('AMBIGUOUS_ID', { count: 50 }));
});
