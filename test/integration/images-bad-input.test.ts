import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { EngineError } from '#src/errors/index.js';
import { digestOf } from '#src/images/index.js';
import { smithArchive, smithEntry } from '#support/tarsmith.js';
import { hasTool, ImageLab, run } from './images-lab.js';

const skip = hasTool('skopeo') && process.getuid?.() === 0 ? false : 'needs root and skopeo';

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

interface Parts {
  layers: Buffer[];
  diffIds: string[];
  config: Record<string, unknown>;
  manifest: Record<string, unknown>;
  descriptor: Record<string, unknown>;
}

/** Writes an OCI layout of which `change` may bend every part. */
function writeLayout(dir: string, change: (parts: Parts) => void = () => {}): void {
  const layers = [smithArchive(smithEntry({ path: 'a' }, 'one')), smithArchive(smithEntry({ path: 'b' }, 'two'))];
  const parts: Parts = {
    layers,
    diffIds: layers.map((layer) => digestOf(layer)),
    config: {},
    manifest: {},
    descriptor: {},
  };
  // First for the layers, then (below) for the documents made of them.
  change(parts);
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
  const blob = (bytes: Buffer | string, mediaType: string) => {
    writeFileSync(join(dir, 'blobs/sha256', digestOf(bytes).slice(7)), bytes);
    return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
  };
  const config = blob(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: parts.diffIds },
      ...parts.config,
    }),
    CONFIG_TYPE,
  );
  const manifest = blob(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config,
      layers: parts.layers.map((layer) => blob(layer, LAYER_TYPE)),
      ...parts.manifest,
    }),
    MANIFEST_TYPE,
  );
  writeFileSync(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, ...parts.descriptor }] }),
  );
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

const cutAt = (bytes: Buffer, part: number) => bytes.subarray(0, Math.floor(bytes.length * part));

describe('bad image sources', { skip }, () => {
  let lab: ImageLab;
  let count = 0;
  let before_: string[];
  before(async () => {
    lab = new ImageLab();
    writeLayout(lab.path('good'));
    await lab.store.import(lab.path('good'), { reference: 'good' });
    before_ = lab.state();
  });
  after(() => lab[Symbol.asyncDispose]());

  const refuses = async (source: string, reason: string, options = {}) => {
    await assert.rejects(lab.store.import(source, { reference: 'bad', ...options }), (error) => {
      assert.ok(EngineError.is(error), String(error));
      assert.equal(error.reason, reason, error.message);
      return true;
    });
    assert.deepEqual(lab.state(), before_, 'the store is as it was');
  };
  const fresh = () => lab.path(`source-${count++}`);
  const other = smithArchive(smithEntry({ path: 'other' }, 'x'));

  const layouts: [what: string, reason: string, change: (parts: Parts) => void][] = [
    [
      'a wrong diff id of the upper layer',
      'DIFF_ID_MISMATCH',
      (p) => {
        p.layers[1] = other;
      },
    ],
    [
      'more layers than diff ids',
      'BAD_MANIFEST',
      (p) => {
        p.layers.push(other);
      },
    ],
    [
      'fewer layers than diff ids',
      'BAD_MANIFEST',
      (p) => {
        p.layers.pop();
      },
    ],
    [
      'a size that is too small',
      'SIZE_MISMATCH',
      (p) => {
        p.descriptor = { size: 10 };
      },
    ],
    [
      'a size that is too large',
      'SIZE_MISMATCH',
      (p) => {
        p.descriptor = { size: 100_000 };
      },
    ],
    [
      'a digest of another document',
      'BAD_ARCHIVE',
      (p) => {
        p.descriptor = { digest: digestOf('nothing') };
      },
    ],
    [
      'a digest that is a path',
      'BAD_MANIFEST',
      (p) => {
        p.descriptor = { digest: 'sha256:../../../../etc/passwd' };
      },
    ],
    [
      'an unknown media type',
      'BAD_MANIFEST',
      (p) => {
        p.descriptor = { mediaType: 'application/x' };
      },
    ],
    [
      'a media type that the document denies',
      'BAD_MANIFEST',
      (p) => {
        p.descriptor = { mediaType: 'application/vnd.docker.distribution.manifest.v2+json' };
      },
    ],
    [
      'a manifest that is an index too',
      'BAD_MANIFEST',
      (p) => {
        p.manifest = { manifests: [] };
      },
    ],
    [
      'a layer size of 2^53',
      'BAD_MANIFEST',
      (p) => {
        p.manifest = { layers: [{ mediaType: LAYER_TYPE, digest: p.diffIds[0], size: 2 ** 53 }] };
      },
    ],
    [
      'a Windows image',
      'NO_MATCHING_PLATFORM',
      (p) => {
        p.config = { os: 'windows' };
      },
    ],
    [
      'a config that is no config',
      'BAD_MANIFEST',
      (p) => {
        p.config = { rootfs: 7 };
      },
    ],
    [
      'a layer that is no tar',
      'BAD_ARCHIVE',
      (p) => {
        p.layers[1] = Buffer.from('x'.repeat(2000));
        p.diffIds[1] = digestOf(p.layers[1]);
      },
    ],
    [
      'a truncated gzip layer',
      'BAD_ARCHIVE',
      (p) => {
        const zip = gzipSync(p.layers[1] as Buffer);
        p.layers[1] = zip.subarray(0, zip.length - 12);
      },
    ],
    [
      'a layer that leaves the root',
      'BAD_LAYER',
      (p) => {
        p.layers[1] = smithArchive(smithEntry({ path: '../escape' }, 'x'));
        p.diffIds[1] = digestOf(p.layers[1]);
      },
    ],
    [
      'a layer with a forged whiteout',
      'BAD_LAYER',
      (p) => {
        p.layers[1] = smithArchive(smithEntry({ path: 'dev', type: '3' }));
        p.diffIds[1] = digestOf(p.layers[1]);
      },
    ],
  ];
  for (const [what, reason, change] of layouts) {
    it(`refuses ${what}`, async () => {
      const dir = fresh();
      writeLayout(dir, change);
      await refuses(dir, reason);
    });
  }

  it('refuses a layer blob with other bytes, more bytes and fewer bytes', async () => {
    for (const bend of [
      (b: Buffer) => b.fill('x', 600, 610),
      (b: Buffer) => Buffer.concat([b, b]),
      (b: Buffer) => b.subarray(0, 512),
    ]) {
      const dir = fresh();
      writeLayout(dir, (parts) => {
        parts.layers[1] = Buffer.concat([other, Buffer.alloc(512)]);
        parts.diffIds[1] = digestOf(parts.layers[1]);
      });
      const layer = digestOf(Buffer.concat([other, Buffer.alloc(512)]));
      const path = join(dir, 'blobs/sha256', layer.slice(7));
      const bytes = bend(readFileSync(path));
      writeFileSync(path, bytes);
      await refuses(dir, bytes.length === other.length + 512 ? 'DIGEST_MISMATCH' : 'SIZE_MISMATCH');
    }
  });

  it('never follows a link out of a layout, nor blocks on a FIFO', async () => {
    const dir = fresh();
    writeLayout(dir);
    rmSync(join(dir, 'index.json'));
    symlinkSync('../good/index.json', join(dir, 'index.json'));
    await refuses(dir, 'BAD_SOURCE');
    rmSync(join(dir, 'index.json'));
    run('mkfifo', join(dir, 'index.json'));
    await refuses(dir, 'BAD_SOURCE');
    await refuses(dir, 'BAD_ARCHIVE', { format: 'oci' });
  });

  it('refuses an archive cut anywhere', async () => {
    const tar = fresh();
    run('skopeo', 'copy', `oci:${lab.path('good')}`, `docker-archive:${tar}:cut.example/a:1`);
    const { size } = statSync(tar);
    for (let at = 1; at <= 8; at++) {
      const cut = fresh();
      cpSync(tar, cut);
      truncateSync(cut, Math.floor((size * at) / 9 / 512) * 512 + 100);
      await assert.rejects(
        lab.store.import(cut),
        (error) => EngineError.is(error) && /BAD_ARCHIVE|BAD_SOURCE/.test(error.reason),
      );
      writeFileSync(`${cut}.gz`, cutAt(gzipSync(readFileSync(tar)), at / 9));
      await assert.rejects(lab.store.import(`${cut}.gz`), (error) => EngineError.is(error, undefined, 'BAD_ARCHIVE'));
    }
    assert.deepEqual(lab.state(), before_);
  });

  it('refuses docker archives that point outside, lack files or name badly', async () => {
    const layer = smithArchive(smithEntry({ path: 'a' }, 'one'));
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    });
    const archive = (manifest: unknown, ...more: Buffer[]) => {
      const path = fresh();
      const files = [
        smithEntry({ path: 'manifest.json' }, JSON.stringify(manifest)),
        smithEntry({ path: 'c.json' }, config),
        smithEntry({ path: 'l/layer.tar' }, layer),
      ];
      writeFileSync(path, smithArchive(...files, ...more));
      return path;
    };
    const entry = { Config: 'c.json', RepoTags: ['a.example/a:1'], Layers: ['l/layer.tar'] };
    const link = (target: string) => smithEntry({ path: 'k', type: '2', linkPath: target });
    await refuses(archive([{ ...entry, Layers: ['../../etc/passwd'] }]), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Layers: ['/etc/passwd'] }]), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Layers: ['missing'] }]), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Layers: ['k'] }], link('/etc/passwd')), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Layers: ['k'] }], link('../../etc/passwd')), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Layers: ['k'] }], link('k')), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, Config: 'l/layer.tar' }]), 'BAD_MANIFEST');
    await refuses(archive([entry], smithEntry({ path: './c.json' }, config)), 'BAD_ARCHIVE');
    await refuses(archive([entry], smithEntry({ path: '../x' }, 'x')), 'BAD_ARCHIVE');
    await refuses(archive([{ ...entry, RepoTags: ['../x'] }]), 'BAD_REFERENCE');
    await refuses(archive([{ ...entry, RepoTags: ['a.example/a'] }]), 'BAD_REFERENCE');
    await refuses(archive([{ ...entry, RepoTags: ['UPPER:1'] }]), 'BAD_REFERENCE');
    await refuses(archive([]), 'BAD_MANIFEST');
    await refuses(archive([entry, { ...entry, Config: 'missing' }]), 'BAD_ARCHIVE');
    const fine = await lab.store.import(archive([{ ...entry, Layers: ['k'] }], link('l/layer.tar')));
    assert.deepEqual(fine.references, ['a.example/a:1']);
    await lab.store.remove('a.example/a:1');
    assert.deepEqual(lab.state(), before_);
  });

  it('refuses what is no source', async () => {
    await refuses(lab.path('nothing'), 'SOURCE_NOT_FOUND');
    await refuses('', 'BAD_SOURCE');
    await refuses('/dev/null', 'BAD_SOURCE');
    await refuses(lab.path('good', 'oci-layout'), 'BAD_ARCHIVE');
    mkdirSync(lab.path('empty'));
    await refuses(lab.path('empty'), 'BAD_SOURCE');
    await refuses(lab.path('good'), 'BAD_REFERENCE', { reference: 'Not/Good' });
    await refuses(lab.path('good'), 'BAD_OPTION', { platform: 'x/y/z/w' });
    await refuses(lab.path('good'), 'CONFLICTING_OPTIONS', { config: { cmd: ['x'] } });
    await refuses(lab.path('good'), 'BAD_ENV', { config: { env: ['x'] }, format: 'rootfs' });
  });

  it('takes a name from another image only when allowed', async () => {
    const dir = fresh();
    writeLayout(dir, (parts) => {
      parts.config = { author: 'other' };
    });
    await refuses(dir, 'NAME_TAKEN', { reference: 'good', replaceTags: false });
  });

  it('ends at once when the signal aborts, and leaves nothing', async () => {
    const signal = AbortSignal.abort();
    const dir = fresh();
    writeLayout(dir, (parts) => {
      parts.config = { author: 'aborted' };
    });
    await refuses(dir, 'CANCELED', { signal });
    const controller = new AbortController();
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(512);
      controller.abort();
      yield Buffer.alloc(512);
    }
    await assert.rejects(lab.store.import(slow(), { signal: controller.signal }), (error) =>
      EngineError.is(error, 'CANCELED'),
    );
    assert.deepEqual(lab.state(), before_);
  });

  it('leaves no descriptor after many failures', async () => {
    const dir = fresh();
    writeLayout(dir, (parts) => {
      parts.layers[1] = other;
    });
    const tar = fresh();
    writeFileSync(tar, smithArchive(smithEntry({ path: 'manifest.json' }, '[{"Config":"c"}]')));
    const open = () => readdirSync('/proc/self/fd').length;
    await refuses(dir, 'DIFF_ID_MISMATCH');
    const start = open();
    for (let i = 0; i < 20; i++) {
      await refuses(dir, 'DIFF_ID_MISMATCH');
      await refuses(tar, 'BAD_ARCHIVE');
    }
    assert.ok(open() <= start + 1, `${open()} descriptors, ${start} at first`);
  });

  it('says that the disk is full and leaves nothing', async () => {
    await using small = new ImageLab({ tmpfsBytes: 3 << 20 });
    await small.store.sweep();
    const empty = small.state();
    for (const size of [2 << 20, 8 << 20]) {
      const dir = fresh();
      // The small one fits as a blob and fails when it is unpacked.
      writeLayout(dir, (parts) => {
        const layer = smithArchive(smithEntry({ path: 'big' }, Buffer.alloc(size, 'x')));
        parts.layers[1] = layer;
        parts.diffIds[1] = digestOf(layer);
      });
      await assert.rejects(small.store.import(dir), (error) =>
        EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL'),
      );
      await small.snapshotter.recover();
      assert.deepEqual(small.state(), empty);
    }
  });
});
