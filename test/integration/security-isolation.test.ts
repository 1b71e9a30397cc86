import assert from 'node:assert/strict';
import { arch } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCgroupLayout } from '#src/os/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { runOk } from '#support/run.js';

interface Seen extends Record<string, string> {}
type Results = Omit<Seen, 'cached' | 'cachedLax' | 'keyrings'> & {
  readonly cached: boolean;
  readonly cachedLax: boolean;
  readonly keyrings: readonly string[];
};

const DEFAULT_CAPS = 0xa80425fbn;
const JOB = fileURLToPath(new URL('../support/security-probe-job.js', import.meta.url));
let ofRunc: string | undefined;

/** crun refuses hybrid cgroups: it runs in a mount namespace of its own without the v2 tree. */
async function probe(t: TestContext, runtime: string): Promise<Results | undefined> {
  if (!requireRoot(t)) return undefined;
  for (const name of [runtime, 'busybox', 'perl', 'unshare'])
    if (requireBinary(t, name) === undefined) return undefined;
  const { mode, unified } = readCgroupLayout();
  const hide = runtime === 'crun' && mode === 'hybrid' && unified !== undefined ? `umount '${unified}' && ` : '';
  const words = ['-m', 'sh', '-c', `${hide}exec "$@"`, 'sh', process.execPath, JOB, runtime];
  return JSON.parse(await runOk('unshare', words, { timeoutMs: 60_000 })) as Results;
}

function field(text: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? `no ${name} in ${text}`;
}

function cap(text: string, name: string): bigint {
  return BigInt(`0x${field(text, name)}`);
}

describe('what containers may do', () => {
  for (const runtime of ['runc', 'crun']) {
    it(`under ${runtime}`, async (t) => {
      if (arch() !== 'x64') return t.skip('missing: x86-64');
      const seen = await probe(t, runtime);
      if (seen === undefined) return;

      // All denied alike, whether the runtime compiled the filter, took the cached one, or executed into the container.
      assert.equal(seen.cached, runtime === 'crun');
      assert.equal(seen.cachedLax, false);
      const denied = (seen['cold'] as string).trim().split('\n');
      assert.deepEqual([...new Set(denied)], ['1'], denied.join());
      assert.equal(seen['warm'], seen['cold']);
      assert.equal(seen['exec'], seen['cold']);
      // Without a filter others answer: it is the filter that denies.
      assert.ok(
        (seen['open'] as string)
          .trim()
          .split('\n')
          .filter((errno) => errno !== '1').length > 10,
      );
      ofRunc ??= seen['cold'];
      assert.equal(seen['cold'], ofRunc);

      for (const name of ['status', 'execStatus', 'after', 'statusUser', 'execUser', 'execPrivileged']) {
        const text = seen[name] as string;
        assert.equal(cap(text, 'CapInh'), 0n, name);
        assert.equal(cap(text, 'CapAmb'), 0n, name);
        assert.equal(field(text, 'Seccomp'), '2', name);
        assert.equal(field(text, 'Umask'), '0022', name);
      }
      for (const name of ['status', 'execStatus', 'after'])
        assert.equal(cap(seen[name] as string, 'CapEff'), DEFAULT_CAPS, name);
      for (const name of ['statusUser', 'execUser']) {
        assert.equal(cap(seen[name] as string, 'CapEff'), 0n, name);
        assert.equal(cap(seen[name] as string, 'CapPrm'), 0n, name);
      }
      // Only an exec that asks for it has more, and only it.
      assert.notEqual(cap(seen['execPrivileged'] as string, 'CapEff'), DEFAULT_CAPS);

      assert.equal(seen['writes'], 'end\n');
      assert.equal(seen['execWrites'], 'end\n');
      assert.equal(seen['overwritten'], '');
      assert.equal(seen['fds'], '0\n1\n2\n3\n');
      const [first, second] = seen.keyrings.map(Number);
      assert.ok(first && second && first > 0 && second > 0 && first !== second, `keyrings ${seen.keyrings}`);
    });
  }
});
