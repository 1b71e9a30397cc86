import assert from 'node:assert/strict';
import {
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { digestOf } from '#src/images/index.js';
import { hasTool, ImageLab, makeTree, makeUmociLayout, run } from './images-lab.js';

const skip = ['umoci', 'skopeo'].every(hasTool) && process.getuid?.() === 0 ? false : 'missing: root, umoci or skopeo';

describe('images from other tools', { skip }, () => {
  let lab: ImageLab;
  let layout: string;
  before(() => {
    lab = new ImageLab();
    layout = makeUmociLayout(lab);
  });
  after(() => lab[Symbol.asyncDispose]());

  for (const kind of ['overlay', 'vfs'] as const) {
    it(`unpacks what umoci made exactly as umoci does (${kind})`, async () => {
      await using other = new ImageLab({ snapshotter: kind });
      for (const tag of ['one', 'two']) {
        await other.store.import(layout, { select: tag, reference: `made:${tag}` });
        assert.deepEqual(await other.tree(`made:${tag}`), other.umociTree(layout, tag));
      }
      assert.equal(other.store.inspect('made:two').layers.length, 3);
    });
  }

  it('unpacks a Debian root that mmdebstrap made exactly as umoci does', {
    skip: hasTool('mmdebstrap') ? false : 'missing: mmdebstrap',
  }, async (t) => {
    const tar = lab.path('debian.tar');
    // The packages come from where this machine's own apt gets them.
    const sources = readdirSync('/etc/apt/sources.list.d').filter((name) => /\.(list|sources)$/.test(name));
    const files = [
      ...(existsSync('/etc/apt/sources.list') ? ['/etc/apt/sources.list'] : []),
      ...sources.map((name) => `/etc/apt/sources.list.d/${name}`),
    ];
    const suite = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
    const include = '--include=base-files,base-passwd,passwd,dash,coreutils';
    try {
      run('mmdebstrap', '--mode=root', '--variant=extract', include, suite, tar, ...files);
    } catch {
      t.skip('missing: a Debian mirror');
      return;
    }
    const made = lab.path('debian');
    run('umoci', 'init', '--layout', made);
    run('umoci', 'new', '--image', `${made}:root`);
    run('umoci', 'raw', 'add-layer', '--image', `${made}:root`, tar);
    await lab.store.import(made, { select: 'root', reference: 'made:debian' });
    const tree = await lab.tree('made:debian');
    assert.ok(Object.keys(tree).length > 500, 'a root file system has many files');
    assert.deepEqual(tree, lab.umociTree(made, 'root'));
  });

  it('keeps the config', async () => {
    await lab.store.import(layout, { select: 'one', reference: 'made:one' });
    const { config, id, manifestDigest } = await lab.store.resolve('made:one');
    assert.deepEqual(
      config.env.filter((entry) => entry === 'A=1'),
      ['A=1'],
    );
    assert.deepEqual(config.cmd, ['/bin/tool']);
    assert.equal(config.user, '1:2');
    assert.equal(config.workingDir, '/var');
    assert.deepEqual([...config.labels], [['__proto__', 'x']]);
    assert.deepEqual(config.volumes, ['/data']);
    assert.deepEqual(config.exposedPorts, ['80/tcp']);
    assert.equal(config.stopSignal, 'SIGINT');
    const inspected = JSON.parse(run('skopeo', 'inspect', `oci:${layout}:one`)) as { Digest: string };
    assert.equal(manifestDigest, inspected.Digest);
    assert.equal(id, digestOf(run('skopeo', 'inspect', '--config', '--raw', `oci:${layout}:one`)));
  });

  it('reads one image from layout, tar, gzip, zstd, docker archive, dir and stream', async () => {
    const { id } = await lab.store.import(layout, { select: 'two', reference: 'same:oci' });
    const tree = await lab.tree('same:oci');
    const at = (name: string) => lab.path(name);
    run('skopeo', 'copy', `oci:${layout}:two`, `oci-archive:${at('a.tar')}:name.example/two:1`);
    run('skopeo', 'copy', `oci:${layout}:two`, `docker-archive:${at('d.tar')}:name.example/docker:1`);
    run('skopeo', 'copy', `oci:${layout}:two`, `dir:${at('dir')}`);
    run(
      'skopeo',
      'copy',
      '--dest-compress-format',
      'zstd',
      '--dest-compress',
      '--format',
      'oci',
      `oci:${layout}:two`,
      `dir:${at('zdir')}`,
    );
    run('skopeo', 'copy', `dir:${at('zdir')}`, `oci:${at('zlayout')}:z`);
    run('sh', '-c', `gzip -k ${at('a.tar')} && zstd -q ${at('d.tar')} -o ${at('d.tar.zst')}`);
    const trees: [string, string][] = [];
    for (const name of ['a.tar', 'a.tar.gz', 'd.tar', 'd.tar.zst', 'dir', 'zlayout']) {
      const image = await lab.store.import(at(name), { reference: `same:${name}` });
      trees.push([name, image.id]);
      assert.deepEqual(await lab.tree(`same:${name}`), tree, name);
    }
    const streamed = await lab.store.import(createReadStream(at('a.tar.gz')), { reference: 'same:stream' });
    assert.equal(streamed.id, id);
    for (const [name, found] of trees.filter(([name]) => name.startsWith('a.') || name === 'zlayout')) {
      assert.equal(found, id, `${name} has the same config`);
    }
    const named = await lab.store.import(at('d.tar'));
    assert.ok(named.references.includes('name.example/docker:1'));
    assert.equal((await lab.store.import(at('d.tar'), { select: 'name.example/docker:1' })).id, named.id);
    assert.equal((await lab.store.import(at('d.tar'), { select: named.id })).id, named.id);
    for (const select of ['', 'a', 'sha256:', 'name.example/other:1']) {
      await assert.rejects(lab.store.import(at('d.tar'), { select }), (error) =>
        EngineError.is(error, 'NOT_FOUND', 'IMAGE_NOT_FOUND'),
      );
    }
    const annotated = await lab.store.import(at('a.tar'));
    assert.ok(annotated.references.includes('name.example/two:1'));
  });

  it('lists a layout with several images only for load', async () => {
    await assert.rejects(lab.store.import(layout), (error) =>
      EngineError.is(error, 'INVALID_ARGUMENT', 'SEVERAL_IMAGES'),
    );
    assert.equal((await lab.store.load(layout)).length, 2);
    await assert.rejects(
      lab.store.import(layout, { select: 'three' }),
      (error) =>
        EngineError.is(error, 'NOT_FOUND', 'IMAGE_NOT_FOUND') && String(error.details['names']).includes('one'),
    );
  });

  it('reads an old docker save: layer directories, shared layers as links, several images', async () => {
    const unpacked = lab.path('old-save');
    mkdirSync(unpacked);
    run('skopeo', 'copy', `oci:${layout}:two`, `docker-archive:${lab.path('o.tar')}:name.example/old:1`);
    run('tar', '-xf', lab.path('o.tar'), '-C', unpacked);
    const [entry] = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8')) as [
      { Config: string; Layers: string[]; RepoTags: string[] },
    ];
    // As docker 1.10 to 24 wrote it: one directory a layer, a layer that was written before as a link to it.
    entry.Layers.forEach((layer, index) => {
      mkdirSync(join(unpacked, `l${index}`));
      run('sh', '-c', `cat '${join(unpacked, layer)}' > '${join(unpacked, `l${index}`, 'layer.tar')}'`);
    });
    mkdirSync(join(unpacked, 'linked'));
    run('ln', '-s', '../l0/layer.tar', join(unpacked, 'linked/layer.tar'));
    const layers = entry.Layers.map((_, index) => `l${index}/layer.tar`);
    const manifest = [
      { Config: entry.Config, RepoTags: ['old.example/a:1', 'old.example/a:2'], Layers: layers },
      { Config: entry.Config, RepoTags: null, Layers: ['linked/layer.tar', ...layers.slice(1)] },
    ];
    for (const name of readdirSync(unpacked)) if (/^[a-f0-9]{64}\.tar$/.test(name)) rmSync(join(unpacked, name));
    writeFileSync(join(unpacked, 'manifest.json'), JSON.stringify(manifest));
    run('tar', '-cf', lab.path('old.tar'), '-C', unpacked, '.');
    const images = await lab.store.load(lab.path('old.tar'));
    assert.equal(images.length, 2);
    for (const name of ['old.example/a:1', 'old.example/a:2']) assert.ok(images[0]?.references.includes(name));
    await lab.store.import(layout, { select: 'two', reference: 'same:oci' });
    assert.deepEqual(await lab.tree('old.example/a:2'), await lab.tree('same:oci'));
  });

  it('chooses a platform, also in nested indexes', async () => {
    const multi = lab.path('multi');
    cpSync(layout, multi, { recursive: true });
    const blob = (bytes: string | Buffer) => {
      writeFileSync(join(multi, 'blobs/sha256', digestOf(bytes).slice(7)), bytes);
      return { digest: digestOf(bytes), size: bytes.length };
    };
    const index = JSON.parse(readFileSync(join(multi, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    const base = index.manifests.find(({ annotations }) => annotations['org.opencontainers.image.ref.name'] === 'one');
    const read = (digest: string) => JSON.parse(readFileSync(join(multi, 'blobs/sha256', digest.slice(7)), 'utf8'));
    const manifest = read(base?.digest as string);
    const config = read(manifest.config.digest);
    const forPlatform = (architecture: string, variant?: string) => {
      const own = blob(JSON.stringify({ ...config, architecture, variant }));
      const made = blob(JSON.stringify({ ...manifest, config: { ...manifest.config, ...own } }));
      return {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        ...made,
        platform: { os: 'linux', architecture, variant },
      };
    };
    const list = (manifests: unknown[]) =>
      JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests });
    const attestation = { ...forPlatform('amd64'), platform: { os: 'unknown', architecture: 'unknown' } };
    const inner = blob(list([attestation, forPlatform('arm', 'v6'), forPlatform('arm64', 'v8'), forPlatform('amd64')]));
    const outer = blob(list([{ mediaType: 'application/vnd.oci.image.index.v1+json', ...inner }]));
    const annotations = { 'org.opencontainers.image.ref.name': 'multi.example/x:1' };
    writeFileSync(
      join(multi, 'index.json'),
      list([{ mediaType: 'application/vnd.oci.image.index.v1+json', ...outer, annotations }]),
    );

    const host = await lab.store.import(multi);
    assert.deepEqual(host.references, ['multi.example/x:1']);
    assert.equal(host.platform.architecture, process.arch === 'x64' ? 'amd64' : process.arch);
    const arm = await lab.store.import(multi, { platform: 'linux/arm64', reference: 'multi:arm64' });
    assert.deepEqual(arm.platform, { os: 'linux', architecture: 'arm64' });
    const arm6 = await lab.store.import(multi, { platform: 'linux/arm/v7', reference: 'multi:arm' });
    assert.deepEqual(arm6.platform, { os: 'linux', architecture: 'arm', variant: 'v6' });
    await assert.rejects(
      lab.store.import(multi, { platform: 'linux/s390x' }),
      (error) =>
        EngineError.is(error, 'NOT_FOUND', 'NO_MATCHING_PLATFORM') &&
        JSON.stringify(error.details['platforms']).includes('linux/arm/v6'),
    );
    await assert.rejects(lab.store.import(layout, { select: 'one', platform: 'linux/arm64' }), (error) =>
      EngineError.is(error, 'NOT_FOUND', 'NO_MATCHING_PLATFORM'),
    );
  });

  it('imports a root file system from directory, tar, gzip, zstd and xz', async () => {
    const root = lab.path('rootfs');
    mkdirSync(root);
    makeTree(root);
    const tars = ['r.tar', 'r.tar.gz', 'r.tar.zst', 'r.tar.xz'].map((name) => lab.path(name));
    const config = { env: { A: '1' }, cmd: ['/bin/tool'], labels: { ['__proto__']: 'x' }, workingDir: '/var' };
    const wanted = await lab.store.import(root, { reference: 'root:dir', config });
    const tree = await lab.tree('root:dir');
    assert.match(tree['usr/bin/tool'] as string, /security\.capability/);
    for (const path of tars) {
      run('tar', '-caf', path, '--xattrs', '--xattrs-include=*', '--format=pax', '--numeric-owner', '-C', root, '.');
      const name = `root:${path.slice(path.lastIndexOf('.') + 1)}`;
      await lab.store.import(path, { reference: name, config });
      assert.deepEqual(await lab.tree(name), tree, path);
    }
    const again = await lab.store.import(root, { reference: 'root:again', config });
    assert.equal(again.manifestDigest.length, wanted.manifestDigest.length);
    const { config: stored } = await lab.store.resolve('root:dir');
    assert.deepEqual(stored.env, ['A=1']);
    assert.deepEqual([...stored.labels], [['__proto__', 'x']]);
  });

  it('reads what buildah commits', { skip: hasTool('buildah') ? false : 'missing: buildah' }, async () => {
    const buildah = (...args: string[]) =>
      run(
        'buildah',
        '--storage-driver',
        'vfs',
        '--root',
        lab.path('storage'),
        '--runroot',
        lab.path('runroot'),
        ...args,
      ).trim();
    const root = lab.path('for-buildah');
    mkdirSync(root);
    makeTree(root);
    for (const [format, target] of [
      ['oci', `oci:${lab.path('built')}:b`],
      ['docker', `dir:${lab.path('built-docker')}`],
    ] as const) {
      const container = buildah('from', 'scratch');
      buildah('copy', container, root, '/');
      buildah('config', '--cmd', '/bin/tool', '--env', 'B=2', '--label', 'l=1', '--healthcheck', 'CMD true', container);
      buildah('commit', '--format', format, container, target);
      buildah('rm', container);
    }
    await lab.store.import(lab.path('built'), { reference: 'built:oci' });
    // buildah's layer says nothing of the root directory, so its time is anyone's.
    const withoutRoot = ({ '.': _, ...tree }: Record<string, string>) => tree;
    assert.deepEqual(withoutRoot(await lab.tree('built:oci')), withoutRoot(lab.umociTree(lab.path('built'), 'b')));
    await lab.store.import(lab.path('built-docker'), { reference: 'built:docker' });
    const { config } = await lab.store.resolve('built:docker');
    assert.ok(config.env.includes('B=2'));
    assert.equal(config.labels.get('l'), '1');
    assert.deepEqual(config.healthcheck?.Test, ['CMD', 'true']);
    assert.deepEqual(Object.keys(await lab.tree('built:docker')), Object.keys(await lab.tree('built:oci')));
  });
});
