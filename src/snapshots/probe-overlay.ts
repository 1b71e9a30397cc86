import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, escapeOverlayPath, mountAll, unmount } from '../os/index.js';
import { removeTree } from '../os/trees/remove-tree.js';
import { newToken } from '../util/ids.js';

/** What overlay can do on the file system of a directory. */
export interface OverlayProbe {
  readonly usable: boolean;
  /** The mount option `volatile` is known. */
  readonly volatileSupported: boolean;
  /** Why it is not usable. */
  readonly error?: unknown;
}

/**
 * Mounts a tiny overlay below `dir`, removes a file through it and looks whether it is hidden: some file systems
 * mount and then fail at the first whiteout. A good result is kept until the next boot.
 */
export async function probeOverlay(dir: string): Promise<OverlayProbe> {
  const kept = readKept(dir);
  if (kept !== undefined) return kept;
  const scratch = join(dir, `probe-${newToken()}`);
  const tree = join(scratch, 'tree');
  try {
    mkdirSync(tree, { recursive: true, mode: 0o700 });
    const volatileSupported = tryMount(tree, ['volatile']) === undefined;
    const error = volatileSupported ? undefined : tryMount(tree, []);
    if (error !== undefined) return { usable: false, volatileSupported: false, error };
    const probe = { usable: true, volatileSupported };
    writeFileSync(keptPath(dir), JSON.stringify({ bootId: bootId(), ...probe }), { mode: 0o600 });
    return probe;
  } catch (error) {
    return { usable: false, volatileSupported: false, error };
  } finally {
    await removeTree(scratch, dir);
  }
}

function tryMount(tree: string, extra: readonly string[]): unknown {
  const at = join(tree, newToken());
  for (const name of ['', 'lower', 'upper', 'work', 'merged']) mkdirSync(join(at, name), { mode: 0o700 });
  for (const name of ['kept', 'removed']) writeFileSync(join(at, 'lower', name), name);
  const option = (name: string, part: string) => `${name}=${escapeOverlayPath(join(at, part))}`;
  const options = [option('lowerdir', 'lower'), option('upperdir', 'upper'), option('workdir', 'work')];
  const merged = join(at, 'merged');
  try {
    const off = ['index=off', 'metacopy=off', 'redirect_dir=off'];
    mountAll([{ type: 'overlay', source: 'overlay', options: [...options, ...off, ...extra] }], merged);
    try {
      unlinkSync(join(merged, 'removed'));
      writeFileSync(join(merged, 'kept'), 'changed');
      const seen = readdirSync(merged).join();
      if (seen === 'kept' && readFileSync(join(at, 'lower', 'kept'), 'utf8') === 'kept') return undefined;
      return new RangeError(`a removed file is still seen: ${seen}`);
    } finally {
      unmount(merged, { lazy: true });
    }
  } catch (error) {
    return error;
  }
}

function keptPath(dir: string): string {
  return join(dir, 'overlay-probe.json');
}

function readKept(dir: string): OverlayProbe | undefined {
  try {
    if (!existsSync(keptPath(dir))) return undefined;
    const kept = JSON.parse(readFileSync(keptPath(dir), 'utf8')) as Record<string, unknown> | null;
    if (kept?.['bootId'] !== bootId() || kept['usable'] !== true) return undefined;
    return { usable: true, volatileSupported: kept['volatileSupported'] === true };
  } catch {
    // Torn or foreign: probing again costs two milliseconds.
    return undefined;
  }
}
