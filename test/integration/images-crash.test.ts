import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasTool, ImageLab, makeTree, run } from './images-lab.js';

const exec = promisify(execFile);
const importer = fileURLToPath(new URL('./images-importer.js', import.meta.url));
const skip = ['strace', 'skopeo'].every(hasTool) && process.getuid?.() === 0 ? false : 'needs root, strace and skopeo';

describe('imports that die and imports at once', { skip }, () => {
  let lab: ImageLab;
  let archive: string;
  before(async () => {
    lab = new ImageLab();
    const root = lab.path('root');
    mkdirSync(root);
    makeTree(root);
    writeFileSync(`${root}/big`, Buffer.alloc(8 << 20, 'x'));
    await lab.store.import(root, { reference: 'made', config: { cmd: ['/x'] } });
    archive = lab.path('archive.tar');
    const layout = lab.path('layout');
    mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
    // A docker archive of a gzipped layer, made from what the store holds.
    const image = lab.store.inspect('made');
    const blobs = lab.path('state/images/content/blobs/sha256');
    run('cp', '-r', `${blobs}/.`, `${layout}/blobs/sha256`);
    const size = Number(run('stat', '-c', '%s', `${blobs}/${image.manifestDigest.slice(7)}`));
    const manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: image.manifestDigest, size };
    writeFileSync(`${layout}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
    writeFileSync(`${layout}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    run('skopeo', 'copy', `oci:${layout}`, `docker-archive:${archive}:crash.example/a:1`);
    await lab.store.remove('made');
    await lab.snapshotter.recover();
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Imports in another process that is killed at the n-th of these calls; true when it lived to the end. */
  const importKilledAt = (call: string, n: number): boolean => {
    const args = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${n}`];
    const { status } = spawnSync('strace', [...args, process.execPath, importer, lab.path('state'), archive, 'crash'], {
      stdio: 'ignore',
    });
    return status === 0;
  };

  for (const [call, step] of [
    ['rename', 1],
    ['fsync', 2],
    ['mkdir', 3],
    ['unlink', 1],
    ['pwrite64,write', 40],
  ] as const) {
    it(`leaves nothing or the whole image when killed at any ${call}`, async () => {
      const empty = lab.state();
      for (let n = 1; n < 400; n += step) {
        const done = importKilledAt(call, n);
        await lab.snapshotter.recover();
        const store = lab.open();
        await store.recover();
        const [image] = store.list();
        if (image !== undefined) {
          const tree = await lab.tree(image.id);
          assert.match(tree['big'] as string, /size=8388608/);
          await store.remove(image.id);
        }
        assert.deepEqual(lab.state(), empty, `after ${call} ${n}`);
        if (done) return assert.ok(n > 1, `${call} was never called`);
      }
      assert.fail('the import never ended');
    });
  }

  it('stores an image once when several processes import it at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 3 }, () => exec(process.execPath, [importer, lab.path('state'), archive, 'shared'])),
    );
    const [image] = lab.store.list();
    for (const { stdout } of ids) assert.equal(stdout, image?.id);
    assert.equal(lab.store.list().length, 1);
    assert.equal((await lab.snapshotter.list()).length, 1);
    assert.match((await lab.tree('shared'))['big'] as string, /size=8388608/);
  });

  it('removes and imports against each other without harm', async () => {
    const importing = Array.from({ length: 3 }, (_, index) =>
      exec(process.execPath, [importer, lab.path('state'), archive, `race:${index}`]),
    );
    let settled = false;
    const all = Promise.allSettled(importing).finally(() => {
      settled = true;
    });
    while (!settled) {
      for (const image of lab.store.list()) await lab.store.remove(image.id, { force: true }).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // An importer whose image was removed before it looked at it again may say so; none may break otherwise.
    for (const end of await all) {
      if (end.status === 'rejected')
        assert.match(String((end.reason as { stderr?: string }).stderr), /IMAGE_NOT_FOUND/);
    }
    await lab.store.import(archive, { reference: 'afterwards' });
    assert.match((await lab.tree('afterwards'))['big'] as string, /size=8388608/);
    rmSync(archive);
  });

  it('lets import once in a process whoever asks', async () => {
    const root = lab.path('again');
    mkdirSync(root);
    makeTree(root);
    const images = await Promise.all(
      [1, 2, 3].map((n) => lab.store.import(root, { reference: `at-once:${n}`, config: { cmd: ['x'] } })),
    );
    const chains = await Promise.all(images.map(async (image) => (await lab.store.resolve(image.id)).chainId));
    assert.equal(new Set(chains).size, 1);
  });
});
