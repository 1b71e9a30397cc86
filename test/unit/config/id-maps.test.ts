import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { resolveConfig } from '#src/config/index.js';
import { tempDir } from '#support/roots.js';

function files(t: TestContext, subuid: string, subgid = subuid) {
  const dir = tempDir(t);
  const write = (name: string, content: string) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  return {
    passwd: write('passwd', 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n'),
    group: write('group', 'root:x:0:\nalice:x:1000:\n'),
    subuid: write('subuid', subuid),
    subgid: write('subgid', subgid),
  };
}

const alice = { idMaps: { user: 'alice' } };

describe('id maps', () => {
  it('lays container ids over the ranges in file order, by name and by number', (t) => {
    const ids = files(t, '# ranges\nroot:500000:10\nalice:100000:65536\n1000:300000:100\n', 'alice:200000:65536\n');
    const expected = {
      uids: [
        { containerId: 0, hostId: 100000, size: 65536 },
        { containerId: 65536, hostId: 300000, size: 100 },
      ],
      gids: [{ containerId: 0, hostId: 200000, size: 65536 }],
    };
    assert.deepEqual(resolveConfig(alice, ids).idMaps, expected);
    assert.deepEqual(resolveConfig({ idMaps: { user: '1000' } }, ids).idMaps, expected);
  });

  const refused: [string, string, RegExp][] = [
    ['no range', 'root:500000:10\n', /"alice" has no range/],
    ['a word for a number', 'alice:x:1\n', /line 1 .*not name:start:count/],
    ['a sign', 'alice:-1:10\n', /not name:start:count/],
    ['a missing field', 'alice:100000\n', /not name:start:count/],
    ['blanks', 'alice: 100000:10\n', /not name:start:count/],
    ['root’s id in the range', 'alice:0:65536\n', /ids above 0/],
    ['an empty range', 'alice:100000:0\n', /ids above 0/],
    ['ids beyond the last', 'alice:4294967290:100\n', /ids above 0/],
    ['an overlap with another user', 'alice:100000:65536\nroot:165535:10\n', /line 2 .*overlaps a range of "alice"/],
  ];
  for (const [what, content, words] of refused) {
    it(`refuses ${what}`, (t) => {
      const ids = files(t, content);
      assert.throws(() => resolveConfig(alice, ids), words);
    });
  }

  it('refuses a user that the host does not have', (t) => {
    const ids = files(t, 'bob:100000:65536\n');
    assert.throws(() => resolveConfig({ idMaps: { user: 'bob' } }, ids), /"bob" is not in/);
  });
});
