import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { bootId, emptyDirectory } from '../os/index.js';
import { type Layout, withFileLock, writeFileAtomic } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';

/**
 * Drops what a run dir that outlived a reboot (one on a disk, not a tmpfs) says about processes: the runtimes' own
 * state and the pid files of exec sessions. Those pids now belong to others, and a sweep by them would end strangers.
 * What only names things (directories, snapshots, cgroups) stays for the usual recovery.
 */
export async function forgetEarlierBoot(
  layout: Pick<Layout, 'runPath'>,
  boot: string = bootId(),
  call: CallOptions = {},
): Promise<void> {
  const mark = layout.runPath('boot-id');
  if (readMark(mark) === boot) return;
  await withFileLock(
    layout.runPath('recover.lock'),
    async () => {
      const earlier = readMark(mark);
      if (earlier === boot) return;
      if (earlier !== undefined) {
        for (const name of namesIn(layout.runPath('runtime'))) await emptyDirectory(layout.runPath('runtime', name));
        // A session that is just being made has a hidden name, and no exec session yet.
        const sessions = namesIn(layout.runPath('sessions')).filter((name) => !name.startsWith('.'));
        for (const name of sessions) await emptyDirectory(layout.runPath('sessions', name, 'x'));
      }
      // Last: whoever reads it may start containers at once.
      writeFileAtomic(mark, boot, { durable: false });
    },
    call,
  );
}

function readMark(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function namesIn(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}
