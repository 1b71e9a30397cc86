import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROJECT } from '#support/project.js';
import { runOk } from '#support/run.js';

// A host of its own, so that its ballast is gone with it. The two ways alternate: load hits both alike.
const HOST = `
import { spawn } from 'node:child_process';
import { spawnChild } from ${JSON.stringify(`${PROJECT}/dist/os/spawn.js`)};
const ballast = Array.from({ length: 50 }, () => Buffer.alloc(8 << 20, 1));
const ours = [], nodes = [];
for (let i = 0; i < 9; i++) {
  let at = performance.now();
  const child = spawnChild({ file: '/bin/true', args: [], stdout: 'null', stderr: 'null' });
  ours.push(performance.now() - at);
  await child.exit;
  at = performance.now();
  const other = spawn('/bin/true', { stdio: 'ignore' });
  nodes.push(performance.now() - at);
  await new Promise((resolve) => other.on('exit', resolve));
}
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
console.log(JSON.stringify({ ours: median(ours), nodes: median(nodes), rss: process.memoryUsage().rss + ballast.length }));
`;

describe('the event loop of a large host', () => {
  it('stands still far shorter for spawnChild than for the spawn of Node', async (t) => {
    const host = ['--input-type=module', '-e', HOST];
    const { ours, nodes, rss } = JSON.parse(await runOk(process.execPath, host)) as Record<string, number>;
    assert.ok(ours !== undefined && nodes !== undefined && rss !== undefined && rss > 400 << 20);
    t.diagnostic(`median of a start: spawnChild ${ours.toFixed(2)} ms, spawn ${nodes.toFixed(2)} ms`);
    assert.ok(ours < nodes / 3, `spawnChild takes ${ours} ms, spawn ${nodes} ms`);
  });
});
