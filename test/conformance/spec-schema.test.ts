import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { Ajv, type ValidateFunction } from 'ajv';
import { type ContainerOptions, generateSpec, type SpecInput, stringifySpec } from '#src/spec/index.js';
import { FACTS, imageConfig, specInput } from '#support/spec-fixtures.js';

/** Where Debian's golang-github-opencontainers-specs-dev puts the schemas of the runtime-spec. */
const SCHEMAS = '/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema';

const CASES: readonly [name: string, options: Partial<ContainerOptions>, more?: Partial<SpecInput>][] = [
  ['nothing asked', {}],
  ['privileged', { privileged: true }],
  ['all of the host', { network: 'host', pidMode: 'host', ipcMode: 'host', utsMode: 'host', cgroupnsMode: 'private' }],
  ['cgroup v2', { memoryBytes: 64 << 20 }, { hostFacts: { ...FACTS, cgroupVersion: 2 } }],
  ['arm64', {}, { hostFacts: { ...FACTS, architecture: 'arm64' } }],
  [
    'limits',
    {
      memoryBytes: 64 << 20,
      memorySwapBytes: -1,
      memoryReservationBytes: 32 << 20,
      memorySwappiness: 0,
      oomKillDisable: true,
      cpus: 0.5,
      cpuShares: 2,
      cpusetCpus: '0',
      cpusetMems: '0',
      pidsLimit: 9,
      blkioWeight: 10,
    },
  ],
  ['a terminal', { tty: true, consoleSize: { rows: 1, columns: 2 }, user: 'x', hostname: 'h', domainname: 'd' }],
  [
    'mounts',
    {
      binds: ['/a:/b:ro,rslave'],
      tmpfs: { '/t': 'size=1m' },
      mounts: [{ type: 'tmpfs', target: '/u', mode: 0 }],
      readOnlyRootfs: true,
    },
  ],
  ['rlimits', { ulimits: [{ name: 'core', soft: 0, hard: -1 }], oomScoreAdj: -1000, noNewPrivileges: true }],
  [
    'devices',
    { deviceCgroupRules: ['c *:* rwm'] },
    {
      devices: [
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 0, gid: 0, permissions: 'rw' },
      ],
    },
  ],
  [
    'a profile',
    { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ name: 'x', action: 'SCMP_ACT_ERRNO', errnoRet: 1 }] } },
  ],
  [
    'annotations and sysctls',
    { annotations: { a: 'b' }, sysctls: { 'kernel.sem': '1' }, capAdd: ['ALL'], capDrop: ['CHOWN'] },
  ],
  ['an image', {}, { image: imageConfig({ env: ['A=1'], cmd: ['x'], workingDir: '/w' }) }],
  ['files and init', { init: true }, { files: { hosts: '/h', resolvConf: '/r', hostname: '/n' }, initPath: '/i' }],
  [
    'joined namespaces',
    { network: 'container:a', pidMode: 'container:a' },
    { namespacePaths: { network: '/n', pid: '/p' } },
  ],
];

describe('generated specs and the OCI schemas', {
  skip: existsSync(SCHEMAS) ? false : 'missing: runtime-spec schemas',
}, () => {
  let validate: ValidateFunction;
  before(() => {
    const ajv = new Ajv({ strict: false, allErrors: true, formats: { uint: true } });
    for (const name of readdirSync(SCHEMAS)) ajv.addSchema(readSchema(name), name);
    validate = ajv.getSchema('config-schema.json') as ValidateFunction;
  });

  for (const [name, options, more] of CASES) {
    it(`${name}`, () => {
      const text = stringifySpec(generateSpec(specInput(options, more)));
      const document = JSON.parse(text);
      // Not in the schema, but the runtimes have it and `slave` alone would be less safe.
      if (document.linux.rootfsPropagation === 'rslave') document.linux.rootfsPropagation = 'slave';
      assert.equal(validate(document), true, JSON.stringify(validate.errors, null, 1));
    });
  }

  it('would find a mistake', () => {
    const spec = generateSpec(specInput());
    assert.equal(validate({ ...spec, process: { ...spec.process, cwd: 7 } }), false);
    assert.equal(validate({ ...spec, linux: { ...spec.linux, namespaces: [{ type: 'nope' }] } }), false);
  });
});

/** The draft-04 documents as Ajv 8 takes them: without their `$schema`, and with `id` out of the way of its own keyword. */
function readSchema(name: string): object {
  const { $schema: _draft, id: _id, ...schema } = JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8'));
  return schema;
}
