import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { PROJECT } from '../project.js';
import { requireBinary } from '../require.js';

export interface PerlVolumePlugin {
  readonly name: 'perlvol';
  /** What `socketDirs` wants. */
  readonly socketDir: string;
  readonly socket: string;
  readonly pid: number;
  /** Host path of a volume's content. */
  pathOf(volume: string): string;
}

/**
 * A volume plugin written in Perl, of scope `global`, in `<dir>/plugins/perlvol.sock`; ended with the test. Gives
 * undefined and skips where there is no perl.
 */
export async function startPerlVolumePlugin(
  t: Pick<TestContext, 'skip'> & { after(work: () => void): void },
  dir: string,
): Promise<PerlVolumePlugin | undefined> {
  const perl = requireBinary(t, 'perl');
  if (perl === undefined) return undefined;
  const socketDir = join(dir, 'plugins');
  const volumes = join(dir, 'perl-volumes');
  mkdirSync(socketDir, { recursive: true, mode: 0o700 });
  mkdirSync(volumes, { recursive: true });
  const socket = join(socketDir, 'perlvol.sock');
  const child = spawn(perl, [join(PROJECT, 'test/support/plugins/volume-plugin.pl'), socket, volumes], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  // The first word says that it listens; an early end fails here.
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the perl plugin ended while starting'))),
  ]);
  child.unref();
  child.stdout.destroy();
  return { name: 'perlvol', socketDir, socket, pid: child.pid as number, pathOf: (volume) => join(volumes, volume) };
}
