import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openStore } from './snapshots-workload.js';

const WORKLOAD = join(import.meta.dirname, 'snapshots-workload.js');
const skip = process.geteuid?.() === 0 ? false : 'missing: root';

async function work(kind: string, name: string, dir: string): Promise<string> {
  const child = spawn(process.execPath, [WORKLOAD, kind, name, dir], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output);
  return output;
}

describe('several processes on one store', { skip }, () => {
  for (const kind of ['overlay', 'vfs']) {
    it(`${kind}: the same names committed at once exist once and whole`, async () => {
      const dir = mkdtempSync(join(tmpdir(), 'snapshots-processes-'));
      try {
        await Promise.all(Array.from({ length: 3 }, () => work(kind, 'commitSame', dir)));
        const snapshotter = openStore(kind, dir);
        const found = await snapshotter.list();
        assert.equal(found.length, 25);
        assert.ok(found.every((one) => one.kind === 'committed'));
        for (const part of ['staging', 'trash', 'removing', 'active']) {
          assert.deepEqual(readdirSync(join(dir, part)), [], part);
        }
        const last = kind === 'vfs' ? 25 : 1;
        assert.equal(readdirSync(join(dir, 'committed', 'same-24', 'fs')).length, last);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }

  it('a layer is not removed under a child that another process makes', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'snapshots-processes-'));
    try {
      const outputs = await Promise.all([
        work('overlay', 'adopt', dir),
        work('overlay', 'adopt', dir),
        work('overlay', 'orphan', dir),
      ]);
      assert.match(outputs.join(), /made [1-9][\s\S]*removed [1-9]/);
      const snapshotter = openStore('overlay', dir);
      assert.equal((await snapshotter.list()).length, 1);
      for (const part of ['staging', 'trash', 'removing', 'active']) {
        assert.deepEqual(readdirSync(join(dir, part)), [], part);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
