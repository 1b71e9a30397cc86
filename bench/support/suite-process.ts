import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchArguments } from './arguments.js';
import type { BenchRow } from './rows.js';
import type { RuntimeName, Suite } from './suite.js';

const MAIN = join(import.meta.dirname, '../main.js');
const LIMIT_MS = 10 * 60_000;
// crun refuses a host that has cgroup v1 and v2 side by side; in a mount namespace without the v2 mount it works.
const WITHOUT_V2 = 'umount /sys/fs/cgroup/unified && exec "$@"';

/** Runs one suite in a Node process of its own: a fresh heap, and for crun a mount namespace that it can work in. */
export async function runSuiteProcess(
  suite: Suite,
  runtime: RuntimeName,
  dir: string,
  options: BenchArguments,
): Promise<readonly BenchRow[]> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const output = join(dir, 'rows.json');
  const command = [process.execPath, '--expose-gc', MAIN, '--child', suite.name, '--dir', dir, '--output', output];
  command.push('--runtime', runtime, ...(options.quick ? ['--quick'] : []), ...(options.peers ? [] : ['--no-peers']));
  if (runtime === 'crun' && existsSync('/sys/fs/cgroup/unified')) {
    command.unshift('unshare', '--mount', '--propagation', 'private', 'sh', '-c', WITHOUT_V2, 'sh');
  }
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(limit);
  if (code !== 0) throw new Error(`suite "${suite.name}" with ${runtime} ended with ${code ?? signal}`);
  return JSON.parse(readFileSync(output, 'utf8')) as BenchRow[];
}
