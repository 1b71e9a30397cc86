import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { mountAll, readMountInfo, unmount } from '#src/os/index.js';
import { OverlaySnapshotter, type Snapshotter, VfsSnapshotter } from '#src/snapshots/index.js';

const skip = process.geteuid?.() === 0 ? false : 'missing: root';
const layerName = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`;

async function withRoot(name: string, body: (root: string, mnt: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'snapshots-mounts-'));
  const root = join(dir, name);
  const mnt = join(dir, 'mnt');
  mkdirSync(root);
  mkdirSync(mnt);
  try {
    await body(root, mnt);
  } finally {
    unmount(mnt, { lazy: true });
    rmSync(dir, { recursive: true, force: true });
  }
}

async function addLayer(snapshotter: Snapshotter, n: number): Promise<void> {
  await snapshotter.prepare(`making-${n}`, n === 0 ? undefined : layerName(n - 1), { transient: true });
  const { path } = await snapshotter.layerTarget(`making-${n}`);
  writeFileSync(join(path, `layer-${n}`), String(n));
  await snapshotter.commit(layerName(n), `making-${n}`);
}

describe('snapshot mounts', { skip }, () => {
  it('127 layers below a root of 200 characters mount', async () => {
    await withRoot('r'.repeat(200), async (root, mnt) => {
      const snapshotter = OverlaySnapshotter.open({ dir: root });
      for (let n = 0; n < 127; n++) await addLayer(snapshotter, n);
      const key = 'c'.repeat(64);
      const mounts = await snapshotter.prepare(key, layerName(126), { volatile: true });
      assert.ok((mounts[0]?.options.join().length ?? 0) > 4096, 'too short to prove anything');
      mountAll(mounts, mnt);
      assert.equal(readdirSync(mnt).length, 127);
      assert.equal(readFileSync(join(mnt, 'layer-0'), 'utf8'), '0');
      writeFileSync(join(mnt, 'layer-0'), 'changed');
      unmount(mnt);
      assert.equal(readFileSync(join(root, 'active', key, 'fs/layer-0'), 'utf8'), 'changed');
      const target = await snapshotter.layerTarget(key);
      assert.equal(target.lowerPaths.length, 127);
      assert.equal(readFileSync(join(target.lowerPaths[126] as string, 'layer-0'), 'utf8'), '0');
      mountAll(await snapshotter.view('v', layerName(126)), mnt);
      assert.equal(readdirSync(mnt).length, 127);
    });
  });

  it('what can not fit into one mount is refused, not cut off', async () => {
    await withRoot('r', async (_root, mnt) => {
      const lowers = Array.from({ length: 300 }, (_, n) => `/tmp/${'x'.repeat(20)}${n}`).join(':');
      assert.throws(
        () => mountAll([{ type: 'overlay', source: 'overlay', options: [`lowerdir=${lowers}`] }], mnt),
        (error) => EngineError.is(error, 'INTERNAL', 'MOUNT_FAILED') && error.details['errno'] === 'E2BIG',
      );
    });
  });

  for (const [what, name] of [
    ['colons and commas', 'a:b,upperdir=c:,d'],
    ['a backslash', 'a\\b\\:c\\,d\\'],
    ['spaces and newlines', ' a\nb\tc '],
    ['quotes, dollars and other scripts', `'"$(x)\`é漢\u{1f600}`],
    ['a percent and octal-looking text', '%s\\040%n'],
  ] as const) {
    for (const length of ['short', 'long'] as const) {
      it(`a root with ${what} in its path works (${length} chain)`, async () => {
        await withRoot(name, async (root, mnt) => {
          for (const snapshotter of [
            OverlaySnapshotter.open({ dir: join(root, 'overlay') }),
            VfsSnapshotter.open({ dir: join(root, 'vfs') }),
          ]) {
            const layers = length === 'short' ? 2 : snapshotter.name === 'vfs' ? 3 : 70;
            for (let n = 0; n < layers; n++) await addLayer(snapshotter, n);
            for (const mounts of [
              await snapshotter.prepare('c', layerName(layers - 1)),
              await snapshotter.view('v', layerName(layers - 1)),
            ]) {
              mountAll(mounts, mnt);
              assert.equal(readdirSync(mnt).length, layers);
              if (mounts[0]?.options.includes('ro')) assert.throws(() => writeFileSync(join(mnt, 'x'), ''));
              else writeFileSync(join(mnt, 'own'), '');
              unmount(mnt);
            }
            await snapshotter.remove('c');
            await snapshotter.remove('v');
          }
        });
      });
    }
  }

  it('nothing stays mounted and no descriptor stays open', async () => {
    await withRoot('r'.repeat(200), async (root, mnt) => {
      const snapshotter = OverlaySnapshotter.open({ dir: root });
      for (let n = 0; n < 40; n++) await addLayer(snapshotter, n);
      const before = readdirSync('/proc/self/fd').length;
      for (let n = 0; n < 5; n++) {
        mountAll(await snapshotter.prepare(`c${n}`, layerName(39)), mnt);
        unmount(mnt);
        await snapshotter.remove(`c${n}`);
      }
      assert.equal(readdirSync('/proc/self/fd').length, before);
      assert.deepEqual(
        readMountInfo().filter((mount) => mount.mountPoint === mnt),
        [],
      );
    });
  });
});
