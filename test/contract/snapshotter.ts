import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { type Mount, mountAll, unmount } from '#src/os/index.js';
import { errnoOf, lgetxattr, lsetxattr, utimensat } from '#src/os/syscalls/index.js';
import type { Snapshotter } from '#src/snapshots/index.js';

/** What the suite needs to know of a snapshotter under test. */
export interface SnapshotterUnderTest {
  /** Opens one over the directory; called again for the same directory it is another process's view of it. */
  open(dir: string): Snapshotter | Promise<Snapshotter>;
  /** Why the suite can't run here; absent: it can. */
  readonly skip?: string | undefined;
}

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const C = `sha256:${'c'.repeat(64)}`;

/** The rules of `Snapshotter`, for any implementation of it. Mounts are really made, so it needs root. */
export function snapshotterContract(name: string, subject: SnapshotterUnderTest): void {
  describe(`snapshotter contract: ${name}`, { skip: subject.skip ?? false }, () => {
    const test = (title: string, body: (kit: Kit) => Promise<void>) =>
      it(title, async () => {
        const dir = mkdtempSync(join(tmpdir(), 'snapshotter-'));
        const kit = new Kit(join(dir, 'store'), dir, await subject.open(join(dir, 'store')));
        try {
          await body(kit);
        } finally {
          kit.unmountAll();
          rmSync(dir, { recursive: true, force: true });
        }
      });

    test('an empty snapshot is writable and keeps what is written', async (kit) => {
      const mounts = await kit.snapshotter.prepare('one', undefined);
      kit.mounted(mounts, (root) => {
        assert.deepEqual(readdirSync(root), []);
        assert.equal(lstatSync(root).mode & 0o7777, 0o755);
        writeFileSync(join(root, 'file'), 'text');
      });
      kit.mounted(await kit.snapshotter.mounts('one'), (root) => {
        assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'text');
      });
    });

    test('children see the parent, change it for themselves and leave it alone', async (kit) => {
      await kit.layer(A, undefined, (root) => {
        mkdirSync(join(root, 'etc'));
        writeFileSync(join(root, 'etc/motd'), 'first');
        writeFileSync(join(root, 'gone'), 'x');
        symlinkSync('etc/motd', join(root, 'link'));
      });
      const change = (root: string) => {
        assert.equal(readFileSync(join(root, 'link'), 'utf8'), 'first');
        writeFileSync(join(root, 'etc/motd'), 'changed');
        rmSync(join(root, 'gone'));
        assert.deepEqual(readdirSync(root).sort(), ['etc', 'link']);
      };
      for (const key of ['c1', 'c2']) kit.mounted(await kit.snapshotter.prepare(key, A), change);
      kit.mounted(await kit.snapshotter.view('v', A), (root) => {
        assert.equal(readFileSync(join(root, 'etc/motd'), 'utf8'), 'first');
        assert.deepEqual(readdirSync(root).sort(), ['etc', 'gone', 'link']);
      });
      await kit.snapshotter.remove('c1');
      kit.mounted(await kit.snapshotter.mounts('c2'), (root) => {
        assert.equal(readFileSync(join(root, 'etc/motd'), 'utf8'), 'changed');
      });
    });

    test('a view is read-only and cannot be committed or unpacked into', async (kit) => {
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'a'), '1'));
      await kit.layer(B, A, (root) => rmSync(join(root, 'a')));
      for (const [key, parent, seen] of [
        ['v1', A, ['a']],
        ['v2', B, []],
      ] as const) {
        kit.mounted(await kit.snapshotter.view(key, parent), (root) => {
          assert.deepEqual(readdirSync(root), seen);
          assert.throws(
            () => writeFileSync(join(root, 'x'), ''),
            (error) => errnoOf(error) === 'EROFS',
          );
        });
        await rejects(kit.snapshotter.commit(C, key), 'FAILED_PRECONDITION', 'SNAPSHOT_READ_ONLY');
        await rejects(kit.snapshotter.layerTarget(key), 'FAILED_PRECONDITION', 'SNAPSHOT_READ_ONLY');
      }
      assert.equal((await kit.snapshotter.find('v1'))?.kind, 'view');
    });

    test('owner, mode, times, xattrs and hard links go through a chain of layers', async (kit) => {
      const ns = 1_234_567_890_123_456_789n;
      await kit.layer(A, undefined, (root) => {
        const file = join(root, 'tool');
        writeFileSync(file, 'tool');
        linkSync(file, join(root, 'same'));
        chownSync(file, 12, 34);
        chmodSync(file, 0o4711);
        lsetxattr(
          file,
          'security.capability',
          Buffer.from('010000020004000000000000000000000000000000', 'hex').subarray(0, 20),
        );
        utimensat(file, ns, ns);
        chmodSync(root, 0o1751);
        chownSync(root, 5, 6);
        utimensat(root, ns, ns);
      });
      await kit.layer(B, A, () => {});
      kit.mounted(await kit.snapshotter.prepare('c', B), (root) => {
        const stat = lstatSync(join(root, 'tool'), { bigint: true });
        assert.equal(stat.mode & 0o7777n, 0o4711n);
        assert.deepEqual([stat.uid, stat.gid, stat.mtimeNs, stat.nlink], [12n, 34n, ns, 2n]);
        assert.equal(stat.ino, lstatSync(join(root, 'same'), { bigint: true }).ino);
        assert.equal(lgetxattr(join(root, 'tool'), 'security.capability')?.length, 20);
        const top = lstatSync(root, { bigint: true });
        assert.deepEqual([top.mode & 0o7777n, top.uid, top.gid, top.mtimeNs], [0o1751n, 5n, 6n, ns]);
      });
    });

    test('keys in use, missing parents and bad keys have their errors, and leave nothing', async (kit) => {
      const { snapshotter } = kit;
      await kit.layer(A, undefined, () => {});
      await snapshotter.prepare('taken', A);
      await rejects(snapshotter.prepare('taken', A), 'ALREADY_EXISTS', 'SNAPSHOT_EXISTS');
      await rejects(snapshotter.view('taken', A), 'ALREADY_EXISTS', 'SNAPSHOT_EXISTS');
      await rejects(snapshotter.prepare(A, undefined), 'ALREADY_EXISTS', 'SNAPSHOT_EXISTS');
      await rejects(snapshotter.prepare('new', B), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      await rejects(snapshotter.prepare('new', 'taken'), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      await rejects(snapshotter.commit(B, 'new'), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      await rejects(snapshotter.commit('taken', 'taken2'), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      for (const call of ['mounts', 'layerTarget', 'usage'] as const)
        await rejects(snapshotter[call]('new'), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      for (const key of ['', '.', '..', 'a/b', '-a', 'a\0', 'a b', 'é', 'a'.repeat(201)]) {
        await rejects(snapshotter.prepare(key, undefined), 'INVALID_ARGUMENT', 'BAD_SNAPSHOT_KEY');
        await rejects(snapshotter.remove(key), 'INVALID_ARGUMENT', 'BAD_SNAPSHOT_KEY');
        await rejects(snapshotter.prepare('x', key), 'INVALID_ARGUMENT', 'BAD_SNAPSHOT_KEY');
      }
      assert.deepEqual(await snapshotter.list(), [
        { key: A, kind: 'committed', parent: undefined },
        { key: 'taken', kind: 'active', parent: A },
      ]);
    });

    test('keys that differ in little, and long ones, stay apart', async (kit) => {
      const keys = ['a', 'A', 'a:b', 'a.b', 'a_b', 'a-b', '__proto__'.slice(2), 'constructor', 'x'.repeat(200)];
      for (const key of keys) await kit.snapshotter.prepare(key, undefined);
      assert.deepEqual((await kit.snapshotter.list()).map((one) => one.key).sort(), [...keys].sort());
      for (const key of keys) {
        assert.deepEqual(await kit.snapshotter.find(key), { key, kind: 'active', parent: undefined });
      }
    });

    test('committing a name that is there removes the key and succeeds, also when it was done before', async (kit) => {
      const { snapshotter } = kit;
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'first'), ''));
      await snapshotter.prepare('again', undefined);
      await snapshotter.commit(A, 'again');
      assert.equal(await snapshotter.find('again'), undefined);
      await snapshotter.commit(A, 'again');
      kit.mounted(await snapshotter.view('v', A), (root) => assert.deepEqual(readdirSync(root), ['first']));
      await snapshotter.prepare('other', undefined);
      await snapshotter.prepare('key', undefined);
      await rejects(snapshotter.commit('other', 'key'), 'ALREADY_EXISTS', 'SNAPSHOT_EXISTS');
      assert.equal((await snapshotter.find('key'))?.kind, 'active');
    });

    test('remove is idempotent and refuses what has children', async (kit) => {
      const { snapshotter } = kit;
      await kit.layer(A, undefined, () => {});
      await kit.layer(B, A, () => {});
      await snapshotter.prepare('c', A);
      await snapshotter.view('v', A);
      const error = await rejects(snapshotter.remove(A), 'CONFLICT', 'SNAPSHOT_IN_USE');
      assert.deepEqual(error.details['children'], ['c', B, 'v'].sort());
      for (const key of ['c', 'v', 'c', B, B, A, A, 'never']) await snapshotter.remove(key);
      assert.deepEqual(await snapshotter.list(), []);
    });

    test('another process sees what was made, and what was removed and made again', async (kit) => {
      const other = await subject.open(kit.store);
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'old'), ''));
      kit.mounted(await other.prepare('c', A), (root) => assert.deepEqual(readdirSync(root), ['old']));
      await rejects(kit.snapshotter.prepare('c', A), 'ALREADY_EXISTS', 'SNAPSHOT_EXISTS');
      await kit.snapshotter.remove('c');
      await kit.snapshotter.remove(A);
      await rejects(other.prepare('c', A), 'NOT_FOUND', 'SNAPSHOT_NOT_FOUND');
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'new'), ''));
      kit.mounted(await other.prepare('c', A), (root) => assert.deepEqual(readdirSync(root), ['new']));
    });

    test('usage counts own blocks and inodes, hard links once', async (kit) => {
      const { snapshotter } = kit;
      await kit.layer(A, undefined, (root) => {
        writeFileSync(join(root, 'data'), Buffer.alloc(1 << 20, 1));
        linkSync(join(root, 'data'), join(root, 'link'));
        mkdirSync(join(root, 'dir'));
        symlinkSync('x', join(root, 'dir/symlink'));
      });
      const usage = await snapshotter.usage(A);
      assert.equal(usage.inodes, 4);
      assert.ok(usage.bytes >= 1 << 20 && usage.bytes < (1 << 20) + (1 << 17), String(usage.bytes));
      await snapshotter.view('v', A);
      assert.deepEqual(await snapshotter.usage('v'), { bytes: 0, inodes: 0 });
    });

    test('an aborted call throws CANCELED and leaves nothing', async (kit) => {
      const { signal } = aborted();
      await rejects(kit.snapshotter.prepare('c', undefined, { signal }), 'CANCELED');
      await kit.snapshotter.prepare('d', undefined);
      await rejects(kit.snapshotter.commit(A, 'd', { signal }), 'CANCELED');
      await rejects(kit.snapshotter.remove('d', { signal }), 'CANCELED');
      assert.deepEqual(
        (await kit.snapshotter.list()).map((one) => one.key),
        ['d'],
      );
    });

    test('a volatile snapshot works as any other, once', async (kit) => {
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'a'), ''));
      kit.mounted(await kit.snapshotter.prepare('c', A, { volatile: true }), (root) => {
        writeFileSync(join(root, 'b'), '');
        assert.deepEqual(readdirSync(root).sort(), ['a', 'b']);
      });
      await kit.snapshotter.remove('c');
      assert.equal(await kit.snapshotter.find('c'), undefined);
    });

    test('a host directory can take the place of a parent and is left alone', async (kit) => {
      const lower = join(kit.dir, 'host: dir,');
      mkdirSync(lower);
      chmodSync(lower, 0o1770);
      writeFileSync(join(lower, 'file'), 'host');
      kit.mounted(await kit.snapshotter.prepare('c', undefined, { lowerDirectory: lower }), (root) => {
        assert.equal(lstatSync(root).mode & 0o7777, 0o1770);
        writeFileSync(join(root, 'file'), 'changed');
      });
      kit.mounted(await kit.snapshotter.mounts('c'), (root) => {
        assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'changed');
      });
      assert.equal(readFileSync(join(lower, 'file'), 'utf8'), 'host');
      await rejects(kit.snapshotter.commit(A, 'c'), 'FAILED_PRECONDITION', 'SNAPSHOT_NOT_COMMITTABLE');
      for (const lowerDirectory of ['relative', join(lower, 'file'), join(lower, 'missing'), join(lower, 'file/x'), ''])
        await rejects(kit.snapshotter.prepare('d', undefined, { lowerDirectory }), 'INVALID_ARGUMENT', 'BAD_OPTION');
      await kit.layer(A, undefined, () => {});
      await rejects(kit.snapshotter.prepare('d', A, { lowerDirectory: lower }), 'INVALID_ARGUMENT');
      await kit.snapshotter.remove('c');
      assert.equal(readFileSync(join(lower, 'file'), 'utf8'), 'host');
    });

    test('what a sweeper removes by path is all there is of a snapshot, also half done', async (kit) => {
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'a'), ''));
      const paths = kit.snapshotter.ownPaths('c');
      await kit.snapshotter.prepare('c', A);
      for (const path of paths) rmSync(path, { recursive: true });
      assert.equal(await kit.snapshotter.find('c'), undefined);
      await kit.snapshotter.prepare('c', A);
      for (const path of kit.snapshotter.ownPaths('c')) rmSync(join(path, 'meta.json'), { force: true });
      await kit.snapshotter.recover();
      await kit.snapshotter.prepare('c', A);
      await kit.snapshotter.remove('c');
      await kit.snapshotter.remove('c');
    });

    test('recover keeps what is whole and what this living process works on', async (kit) => {
      await kit.layer(A, undefined, (root) => writeFileSync(join(root, 'a'), ''));
      await kit.snapshotter.prepare('durable', A);
      await kit.snapshotter.prepare('transient', A, { transient: true });
      const before = await kit.snapshotter.list();
      await (await subject.open(kit.store)).recover();
      assert.deepEqual(await kit.snapshotter.list(), before);
      assert.equal(before.length, 3);
      kit.mounted(await kit.snapshotter.mounts('durable'), (root) => assert.deepEqual(readdirSync(root), ['a']));
    });

    test('concurrent calls for one key: one wins, the others get SNAPSHOT_EXISTS', async (kit) => {
      await kit.layer(A, undefined, () => {});
      const calls = Array.from({ length: 8 }, () => kit.snapshotter.prepare('c', A));
      const settled = await Promise.allSettled(calls);
      assert.equal(settled.filter((one) => one.status === 'fulfilled').length, 1);
      for (const one of settled) {
        if (one.status === 'rejected') assert.equal(one.reason.reason, 'SNAPSHOT_EXISTS');
      }
      assert.equal((await kit.snapshotter.list()).length, 2);
    });
  });
}

class Kit {
  readonly store: string;
  readonly snapshotter: Snapshotter;
  readonly dir: string;
  #targets: string[] = [];

  constructor(store: string, dir: string, snapshotter: Snapshotter) {
    this.store = store;
    this.snapshotter = snapshotter;
    this.dir = dir;
  }

  /** Mounts, looks, unmounts. */
  mounted(mounts: readonly Mount[], look: (root: string) => void): void {
    const target = mkdtempSync(join(this.dir, 'mnt-'));
    this.#targets.push(target);
    mountAll(mounts, target);
    try {
      look(target);
    } finally {
      unmount(target);
    }
  }

  /** Commits a layer that was changed through its mount, as a container's would be. */
  async layer(name: string, parent: string | undefined, change: (root: string) => void): Promise<void> {
    const key = `making-${name}`;
    this.mounted(await this.snapshotter.prepare(key, parent), change);
    assert.ok(existsSync((await this.snapshotter.layerTarget(key)).path));
    await this.snapshotter.commit(name, key);
  }

  unmountAll(): void {
    for (const target of this.#targets) unmount(target, { lazy: true });
  }
}

function aborted(): { signal: AbortSignal } {
  return { signal: AbortSignal.abort() };
}

/** Asserts that the promise rejects with this error, and returns it. */
async function rejects(promise: Promise<unknown>, code: EngineError['code'], reason?: string): Promise<EngineError> {
  const error = await promise.then(
    () => assert.fail(`expected ${reason ?? code}`),
    (error: unknown) => error,
  );
  assert.ok(EngineError.is(error, code, reason), String(error));
  return error;
}
