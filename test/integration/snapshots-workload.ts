import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '#src/errors/index.js';
import { OverlaySnapshotter, type Snapshotter, VfsSnapshotter } from '#src/snapshots/index.js';

/** What a process does to a store while another one kills it or works beside it. Run as: workload.js <kind> <name> <dir>. */
export const LAYER_A = `sha256:${'a'.repeat(64)}`;
export const LAYER_B = `sha256:${'b'.repeat(64)}`;
export const FILES = 5;

export function openStore(kind: string, dir: string): Snapshotter {
  return kind === 'vfs' ? VfsSnapshotter.open({ dir }) : OverlaySnapshotter.open({ dir });
}

async function makeLayer(snapshotter: Snapshotter, key: string, name: string, parent?: string): Promise<void> {
  await snapshotter.prepare(key, parent, { transient: true });
  const { path } = await snapshotter.layerTarget(key);
  for (let n = 0; n < FILES; n++) writeFileSync(join(path, `${name.slice(7, 8)}${n}`), String(n));
  await snapshotter.commit(name, key);
}

/** Makes two layers and a container, and removes container and upper layer. */
async function lifecycle(snapshotter: Snapshotter): Promise<void> {
  await makeLayer(snapshotter, 'build-a', LAYER_A);
  await makeLayer(snapshotter, 'build-b', LAYER_B, LAYER_A);
  await snapshotter.prepare('container', LAYER_B);
  await snapshotter.remove('container');
  await snapshotter.remove(LAYER_B);
}

/** Commits the same names as its siblings. */
async function commitSame(snapshotter: Snapshotter): Promise<void> {
  for (let n = 0; n < 25; n++) {
    const key = `key-${process.pid}-${n}`;
    await snapshotter.prepare(key, n === 0 ? undefined : `same-${n - 1}`, { transient: true });
    writeFileSync(join((await snapshotter.layerTarget(key)).path, `file-${n}`), String(n));
    await snapshotter.commit(`same-${n}`, key);
  }
}

/** Makes and removes children of a layer that a sibling keeps removing. */
async function adopt(snapshotter: Snapshotter): Promise<void> {
  let made = 0;
  for (let n = 0; n < 300; n++) {
    const key = `child-${process.pid}-${n}`;
    try {
      await snapshotter.prepare(key, LAYER_A);
    } catch (error) {
      if (EngineError.is(error, 'NOT_FOUND')) continue;
      throw error;
    }
    made++;
    if ((await snapshotter.find(LAYER_A)) === undefined) {
      // The remover hides a layer while it looks; once it has seen this child the layer must be back.
      await new Promise((resolve) => setTimeout(resolve, 50));
      if ((await snapshotter.find(LAYER_A)) === undefined) throw new RangeError(`${key} is an orphan`);
    }
    await snapshotter.remove(key);
  }
  process.stdout.write(`made ${made}\n`);
}

async function orphan(snapshotter: Snapshotter): Promise<void> {
  let removed = 0;
  for (let n = 0; n < 150; n++) {
    try {
      await snapshotter.remove(LAYER_A);
      removed++;
    } catch (error) {
      if (!EngineError.is(error, 'CONFLICT')) throw error;
    }
    await makeLayer(snapshotter, `again-${process.pid}-${n}`, LAYER_A);
  }
  process.stdout.write(`removed ${removed}\n`);
}

const WORK = { lifecycle, commitSame, adopt, orphan };

const [, script, kind, name, dir] = process.argv;
if (script === import.meta.filename && kind !== undefined && dir !== undefined) {
  await WORK[name as keyof typeof WORK](openStore(kind, dir));
}
