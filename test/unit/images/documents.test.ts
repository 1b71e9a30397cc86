import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { parseDockerArchiveManifest } from '#src/images/docker-archive-manifest.js';
import { parseManifestOrIndex } from '#src/images/documents.js';
import { parseImageConfig } from '#src/images/image-config.js';
import { MEDIA_TYPES } from '#src/images/media-types.js';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const bad =
  (reason = 'BAD_MANIFEST') =>
  (error: unknown) =>
    EngineError.is(error, undefined, reason);

const config = { mediaType: MEDIA_TYPES.ociConfig, digest: DIGEST, size: 2 };
const layer = { mediaType: MEDIA_TYPES.ociLayerGzip, digest: DIGEST, size: 3 };
const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociIndex,
  manifests: [{ mediaType: MEDIA_TYPES.ociManifest, digest: DIGEST, size: 9 }],
};

describe('manifests and indexes', () => {
  const { ociManifest, ociIndex, dockerManifest, dockerList } = MEDIA_TYPES;
  const types = [ociManifest, ociIndex, dockerManifest, dockerList];

  for (const header of types) {
    for (const own of [...types, undefined]) {
      for (const [shape, body] of [
        ['manifest', manifest],
        ['index', index],
      ] as const) {
        const wantsIndex = header === ociIndex || header === dockerList;
        const isRight = (own === undefined || own === header) && wantsIndex === (shape === 'index');
        it(`${isRight ? 'reads' : 'refuses'} ${shape} with mediaType ${own} announced as ${header}`, () => {
          const document = bytes({ ...body, mediaType: own });
          if (isRight) assert.equal(parseManifestOrIndex(document, header).kind, shape);
          else assert.throws(() => parseManifestOrIndex(document, header), bad());
        });
      }
    }
  }

  it('refuses what is both', () => {
    for (const [type, body] of [
      [ociManifest, { ...manifest, manifests: [] }],
      [ociIndex, { ...index, layers: [] }],
      [ociIndex, { ...index, config }],
    ] as const) {
      assert.throws(() => parseManifestOrIndex(bytes(body), type), bad());
    }
  });

  const broken: [what: string, body: unknown, reason?: string][] = [
    ['no JSON', '{'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')],
    ['null', null],
    ['a list', []],
    ['a number', 7],
    ['schema 1', { ...manifest, schemaVersion: 1 }],
    ['no config', { ...manifest, config: undefined }],
    ['config null', { ...manifest, config: null }],
    ['digest as path', { ...manifest, config: { ...config, digest: 'sha256:../../etc' } }],
    ['digest of another kind', { ...manifest, config: { ...config, digest: `sha512:${'a'.repeat(128)}` } }],
    ['negative size', { ...manifest, config: { ...config, size: -1 } }],
    ['size 2^53', { ...manifest, config: { ...config, size: 2 ** 53 } }],
    ['fractional size', { ...manifest, config: { ...config, size: 1.5 } }],
    ['size as text', { ...manifest, layers: [{ ...layer, size: '3' }] }],
    ['layers as object', { ...manifest, layers: {} }],
    ['layer null', { ...manifest, layers: [null] }],
    ['513 layers', { ...manifest, layers: Array.from({ length: 513 }, () => layer) }],
    ['annotation that is a number', { ...manifest, annotations: { a: 1 } }],
    ['an artifact', { ...manifest, config: { ...config, mediaType: 'application/vnd.x' } }, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'an encrypted layer',
      { ...manifest, layers: [{ ...layer, mediaType: `${layer.mediaType}+encrypted` }] },
      'UNSUPPORTED_MEDIA_TYPE',
    ],
  ];
  for (const [what, body, reason] of broken) {
    it(`refuses ${what}`, () => assert.throws(() => parseManifestOrIndex(bytes(body), ociManifest), bad(reason)));
  }

  it('keeps annotations whatever their keys', () => {
    const text = JSON.stringify(manifest).replace(
      '"layers"',
      '"annotations":{"__proto__":"p","constructor":"c"},"layers"',
    );
    const found = parseManifestOrIndex(bytes(text), ociManifest);
    assert.ok(found.kind === 'manifest');
    assert.deepEqual(
      [...found.annotations],
      [
        ['__proto__', 'p'],
        ['constructor', 'c'],
      ],
    );
  });

  it('reads null lists and unknown fields as Go writes them', () => {
    const found = parseManifestOrIndex(
      bytes({ ...manifest, layers: null, annotations: null, subject: null, x: 1 }),
      ociManifest,
    );
    assert.ok(found.kind === 'manifest');
    assert.deepEqual(found.layers, []);
  });
});

describe('image config', () => {
  const minimal = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [DIGEST] } };

  it('reads what Docker writes, nulls included', () => {
    const text = `{"architecture":"arm64","variant":"v8","os":"linux","created":"2024-01-02T03:04:05.123456789Z",
      "container_config":null,"history":null,"rootfs":{"type":"layers","diff_ids":null},
      "config":{"Hostname":"","User":null,"Env":["A=1","B","=C","D=x=y"],"Cmd":null,"Entrypoint":null,"Volumes":null,
        "ExposedPorts":null,"Labels":{"__proto__":"x","a":""},"OnBuild":null,"WorkingDir":"","Healthcheck":null,"Image":"x"}}`;
    const found = parseImageConfig(bytes(text));
    assert.deepEqual(found.platform, { os: 'linux', architecture: 'arm64' });
    assert.deepEqual(found.run.env, ['A=1', 'B', '=C', 'D=x=y']);
    assert.deepEqual(
      [...found.run.labels],
      [
        ['__proto__', 'x'],
        ['a', ''],
      ],
    );
    assert.deepEqual(found.run.volumes, []);
    assert.deepEqual(found.run.cmd, []);
    assert.equal(found.created?.getUTCFullYear(), 2024);
    assert.deepEqual(found.history, []);
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });

  it('reads every field of the run config', () => {
    const found = parseImageConfig(
      bytes({
        ...minimal,
        config: {
          User: '1:2',
          Env: ['P=1'],
          Entrypoint: ['/e'],
          Cmd: 'one',
          WorkingDir: '/w',
          StopSignal: 'SIGINT',
          Volumes: { '/v': {}, '/b': {} },
          ExposedPorts: { '80/tcp': {} },
          Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9, Retries: 3 },
        },
        history: [{ created_by: 'x', empty_layer: true }, {}],
      }),
    ).run;
    assert.deepEqual(found, {
      user: '1:2',
      env: ['P=1'],
      entrypoint: ['/e'],
      cmd: ['one'],
      workingDir: '/w',
      stopSignal: 'SIGINT',
      labels: new Map(),
      volumes: ['/v', '/b'],
      exposedPorts: ['80/tcp'],
      healthcheck: { Test: ['CMD', 'x'], Interval: 1e9, Retries: 3 },
    });
  });

  const mutants: [field: string, value: unknown][] = [
    ['architecture', 3],
    ['architecture', ''],
    ['os', null],
    ['rootfs', null],
    ['rootfs', { type: 'x', diff_ids: [] }],
    ['rootfs', { type: 'layers', diff_ids: ['sha256:x'] }],
    ['rootfs', { type: 'layers', diff_ids: {} }],
    ['config', []],
    ['config', { Env: 'A=1' }],
    ['config', { Env: [1] }],
    ['config', { Env: ['a\0b'] }],
    ['config', { Cmd: [null] }],
    ['config', { Labels: { a: 1 } }],
    ['config', { Labels: [] }],
    ['config', { Volumes: ['x'] }],
    ['config', { User: 5 }],
    ['config', { WorkingDir: {} }],
    ['config', { Healthcheck: { Test: 'x' } }],
    ['history', {}],
    ['history', [null]],
    ['history', [{ empty_layer: 1 }]],
  ];
  for (const [field, value] of mutants) {
    it(`refuses ${field} ${JSON.stringify(value)}`, () => {
      assert.throws(() => parseImageConfig(bytes({ ...minimal, [field]: value })), bad());
    });
  }
});

describe('docker archive manifest', () => {
  it('reads nulls and refuses the rest', () => {
    assert.deepEqual(parseDockerArchiveManifest(bytes([{ Config: 'c.json', RepoTags: null, Layers: null }])), [
      { config: 'c.json', repoTags: [], layers: [] },
    ]);
    for (const value of [{}, [], [null], [{ Config: 1 }], [{ Config: '' }], [{ Config: 'c', Layers: [7] }]]) {
      assert.throws(() => parseDockerArchiveManifest(bytes(value)), bad());
    }
  });
});
