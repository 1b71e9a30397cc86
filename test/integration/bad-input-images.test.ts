import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Bed, type Expected, failsCleanly, IMAGE, withEngine } from '#support/engine-bed.js';
import { smithArchive, smithEntry } from '#support/tarsmith.js';

interface Layout {
  readonly dir: string;
  /** Replaces a blob and keeps the documents that name it: by the old digest, or by the new one. */
  blob(digest: string): string;
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An OCI layout with one image of one layer; `change` may make any part of it wrong. */
function makeLayout(
  dir: string,
  change: { layer?: Buffer; diffId?: string; config?: object; manifest?: object; mediaType?: string } = {},
): Layout {
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
  const put = (bytes: Buffer): { digest: string; size: number } => {
    const digest = sha256(bytes);
    writeFileSync(join(dir, 'blobs', digest.replace(':', '/')), bytes);
    return { digest, size: bytes.length };
  };
  const tar = change.layer ?? smithArchive(smithEntry({ path: 'hello' }, 'world'));
  const layer = put(gzipSync(tar));
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: { Cmd: ['true'] },
        rootfs: { type: 'layers', diff_ids: [change.diffId ?? sha256(tar)] },
        ...change.config,
      }),
    ),
  );
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
        layers: [{ mediaType: change.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }],
        ...change.manifest,
      }),
    ),
  );
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(dir, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'org.opencontainers.image.ref.name': 'x' },
        },
      ],
    }),
  );
  const blob = (digest: string): string => join(dir, 'blobs', digest.replace(':', '/'));
  return { dir, blob, manifest: manifest.digest, config: config.digest, layer: layer.digest };
}

/** The directory as a tar, the second way to hand a layout over. */
function tarOf(dir: string): string {
  execFileSync('tar', ['-C', dir, '-cf', `${dir}.tar`, '.']);
  return `${dir}.tar`;
}

/** Import as a directory and as a tar fails the same way. */
async function refuses(bed: Bed, layout: Layout, expected: Expected): Promise<void> {
  const { images } = bed.engine;
  await failsCleanly(bed, () => images.import(layout.dir, { reference: 'test/bad' }), expected);
  await failsCleanly(bed, () => images.import(tarOf(layout.dir), { reference: 'test/bad' }), expected);
  assert.deepEqual(
    (await images.list()).map((image) => image.references),
    [[`${IMAGE}:latest`]],
  );
}

/** The import's own directories are made with the first one. */
async function warm(bed: Bed): Promise<void> {
  const { dir } = makeLayout(join(bed.dir, 'good'));
  await bed.engine.images.import(dir, { reference: 'test/good' });
  await bed.engine.images.remove('test/good');
}

describe('bad images', () => {
  it('a digest that is not that of the bytes: of layer, config and manifest', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      for (const part of ['layer', 'config', 'manifest'] as const) {
        const layout = makeLayout(join(bed.dir, part));
        const bytes = readFileSync(layout.blob(layout[part]));
        const at = bytes.length >> 1;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        writeFileSync(layout.blob(layout[part]), bytes);
        await refuses(bed, layout, { reason: 'DIGEST_MISMATCH', names: [layout[part]] });
      }
    }));

  it('a blob that is cut short, too long, or missing', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const short = makeLayout(join(bed.dir, 'short'));
      truncateSync(short.blob(short.layer), statSync(short.blob(short.layer)).size - 5);
      await refuses(bed, short, { reason: 'SIZE_MISMATCH', names: [short.layer] });
      const long = makeLayout(join(bed.dir, 'long'));
      writeFileSync(long.blob(long.layer), 'more', { flag: 'a' });
      await refuses(bed, long, { reason: 'SIZE_MISMATCH', names: [long.layer] });
      for (const part of ['layer', 'config', 'manifest'] as const) {
        const layout = makeLayout(join(bed.dir, `no-${part}`));
        rmSync(layout.blob(layout[part]));
        await refuses(bed, layout, { reason: 'BAD_ARCHIVE', names: [layout[part].slice(7)] });
      }
    }));

  it('a diffID that is not that of the layer', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const wrong = `sha256:${'7'.repeat(64)}`;
      await refuses(bed, makeLayout(join(bed.dir, 'a'), { diffId: wrong }), {
        reason: 'DIFF_ID_MISMATCH',
        names: [wrong],
      });
      await refuses(
        bed,
        makeLayout(join(bed.dir, 'b'), { config: { rootfs: { type: 'layers', diff_ids: [wrong, wrong] } } }),
        { code: 'DATA_LOSS', reason: 'BAD_MANIFEST' },
      );
    }));

  it('documents that break their schema, unknown layer types', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      await refuses(bed, makeLayout(join(bed.dir, 'a'), { manifest: { layers: 'none' } }), {
        reason: 'BAD_MANIFEST',
        names: ['layers'],
      });
      await refuses(bed, makeLayout(join(bed.dir, 'b'), { config: { rootfs: 7 } }), {
        reason: 'BAD_MANIFEST',
        names: ['rootfs'],
      });
      await refuses(bed, makeLayout(join(bed.dir, 'c'), { mediaType: 'application/x-secret' }), {
        reason: 'UNSUPPORTED_MEDIA_TYPE',
        names: ['application/x-secret'],
      });
      const index = makeLayout(join(bed.dir, 'd'));
      writeFileSync(join(index.dir, 'index.json'), '{"manifests": [');
      await refuses(bed, index, { reason: 'BAD_MANIFEST', names: ['index.json'] });
    }));

  it('layers that climb out of their root or are no tar', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const climbing = [
        smithArchive(smithEntry({ path: '../../../../etc/owned' }, 'x')),
        smithArchive(
          smithEntry({ path: 'out', type: '2', linkPath: '/' }),
          smithEntry({ path: 'out/../../etc/owned' }, 'x'),
        ),
      ];
      for (const [i, layer] of climbing.entries()) {
        await refuses(bed, makeLayout(join(bed.dir, `climb${i}`), { layer }), {
          reason: 'BAD_LAYER',
          names: ['owned'],
        });
      }
      const noTar = Buffer.alloc(4096, 'no tar at all');
      await refuses(bed, makeLayout(join(bed.dir, 'notar'), { layer: noTar }), { reason: 'BAD_ARCHIVE' });
      const cut = smithArchive(smithEntry({ path: 'f' }, Buffer.alloc(5000, 'x'))).subarray(0, 2000);
      await refuses(bed, makeLayout(join(bed.dir, 'cut'), { layer: cut }), { reason: 'BAD_ARCHIVE' });
    }));

  it('archives that are truncated anywhere, or rubbish', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const whole = readFileSync(tarOf(makeLayout(join(bed.dir, 'whole')).dir));
      const file = join(bed.dir, 'cut.tar');
      for (const size of [1, 100, 511, 700, 1500, 3000, 5000]) {
        writeFileSync(file, whole.subarray(0, size));
        await failsCleanly(bed, () => bed.engine.images.import(file, { format: 'oci' }), {
          code: 'DATA_LOSS',
          reason: 'BAD_ARCHIVE',
          names: [file],
        });
      }
      for (const format of ['oci', 'docker-archive', 'rootfs'] as const) {
        writeFileSync(file, Buffer.alloc(20_000, 'rubbish '));
        await failsCleanly(bed, () => bed.engine.images.import(file, { format }), {
          reason: 'BAD_ARCHIVE',
          names: [file],
        });
        writeFileSync(file, gzipSync(whole).subarray(0, 200));
        await failsCleanly(bed, () => bed.engine.images.import(file, { format }), {
          reason: 'BAD_ARCHIVE',
          names: [file],
        });
      }
    }));

  it('sources and names: missing, of the wrong kind, malformed', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const { images } = bed.engine;
      const gone = join(bed.dir, 'gone, with:odd\nname');
      await failsCleanly(bed, () => images.import(gone), {
        reason: 'SOURCE_NOT_FOUND',
        names: ['gone, with:odd\\nname'],
      });
      await failsCleanly(bed, () => images.import(5 as never), { reason: 'BAD_SOURCE', names: ['5'] });
      const { dir } = makeLayout(join(bed.dir, 'ok'));
      for (const reference of ['Bad', 'a b', '', 'x@sha256:1']) {
        await failsCleanly(bed, () => images.import(dir, { reference }), {
          reason: 'BAD_REFERENCE',
          names: ['reference', JSON.stringify(reference)],
        });
      }
      await failsCleanly(bed, () => images.import(dir, { platform: 'linux/s390x' }), {
        reason: 'NO_MATCHING_PLATFORM',
        names: ['linux/s390x'],
      });
      await failsCleanly(bed, () => images.fromHost({ executables: ['/no/such/program'] }), {
        reason: 'SOURCE_NOT_FOUND',
        names: ['/no/such/program'],
      });
      await failsCleanly(bed, () => images.remove('test/none'), { reason: 'IMAGE_NOT_FOUND', names: ['"test/none"'] });
      await failsCleanly(bed, () => images.tag('test/none', 'test/x'), {
        reason: 'IMAGE_NOT_FOUND',
        names: ['"test/none"'],
      });
      await failsCleanly(bed, () => images.tag(IMAGE, 'Bad'), { reason: 'BAD_REFERENCE', names: ['"Bad"'] });
    }));

  it('removal of an image that a container needs', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const container = await bed.engine.containers.create({ image: IMAGE, command: ['true'] });
      const error = await failsCleanly(bed, () => bed.engine.images.remove(IMAGE), { reason: 'IMAGE_IN_USE' });
      assert.deepEqual(error.details['holders'], [container.id]);
    }));

  it('a signal that aborts an import at any moment leaves nothing', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const layer = smithArchive(
        ...Array.from({ length: 300 }, (_, i) => smithEntry({ path: `f${i}` }, Buffer.alloc(20_000, i & 0xff))),
      );
      const { dir } = makeLayout(join(bed.dir, 'large'), { layer });
      cpSync(dir, `${dir}-2`, { recursive: true });
      let aborted = 0;
      for (let ms = 0; ms <= 60; ms += 6) {
        const signal = AbortSignal.timeout(ms);
        const before = new Set((await bed.engine.images.list()).map((image) => image.id));
        try {
          const image = await bed.engine.images.import(dir, { reference: 'test/large', signal });
          assert.equal(before.has(image.id), false);
          await bed.engine.images.remove('test/large');
        } catch (error) {
          assert.equal((error as { reason?: string }).reason, 'TIMED_OUT');
          aborted++;
        }
      }
      assert.ok(aborted > 0);
      await failsCleanly(bed, () => bed.engine.images.import(dir, { signal: AbortSignal.abort() }), {
        reason: 'CANCELED',
      });
    }));
});
