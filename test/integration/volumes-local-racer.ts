import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { arch } from 'node:os';
import type { TestContext } from 'node:test';
import { requireBinary } from '#support/require.js';

/** Exchanges pairs of names in a directory, as fast as it goes: a container in the volume can do the same. */
export async function withRacer<T>(t: TestContext, dir: string, pairs: [string, string][], work: () => Promise<T>) {
  const perl = requireBinary(t, 'perl');
  if (perl === undefined || arch() !== 'x64') return t.skip('missing: perl on x86-64');
  const script =
    'chdir shift; while (1) { for (my $i = 0; $i < @ARGV; $i += 2) { my ($a, $b) = @ARGV[$i, $i + 1]; syscall(316, -100, $a, -100, $b, 2) } }';
  const racer = spawn(perl, ['-e', script, dir, ...pairs.flat()], { stdio: 'ignore' });
  const gone = once(racer, 'exit');
  try {
    return await work();
  } finally {
    racer.kill('SIGKILL');
    await gone;
  }
}
