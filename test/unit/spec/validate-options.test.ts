import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError, type Reason } from '#src/errors/index.js';
import { validateContainerOptions } from '#src/spec/index.js';
import { throwsReason } from '#support/throws-reason.js';

const FULL = {
  image: 'alpine:3.22',
  name: 'box-1',
  command: ['sh', '-c', 'echo "a b"', ''],
  entrypoint: [],
  env: { A: '1', B: 'x=y' },
  workingDir: '//srv//dir/',
  user: 'dev:wheel',
  groups: ['audio', 29],
  hostname: 'a-b.example',
  domainname: 'example.org',
  tty: true,
  consoleSize: { rows: 24, columns: 80 },
  openStdin: true,
  labels: { a: '' },
  annotations: { 'org.example.a': 'b' },
  readOnlyRootfs: true,
  mounts: [
    { type: 'bind', source: '/a:b, c\nd', target: '/x' },
    { type: 'volume', target: '/v' },
    { type: 'tmpfs', target: '/t', sizeBytes: 65536, mode: 0o700 },
  ],
  binds: ['/etc/hostname:/h:ro,rslave'],
  tmpfs: { '/tmp': 'size=64m,mode=1777,exec' },
  shmSizeBytes: 1 << 20,
  capAdd: ['net_admin', 'CAP_SYS_TIME'],
  capDrop: ['ALL'],
  seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
  ulimits: [{ name: 'nofile', soft: 10, hard: -1 }],
  sysctls: { 'net.core.somaxconn': '1024' },
  devices: [{ pathOnHost: '/dev/fuse', permissions: 'rw' }],
  deviceCgroupRules: ['c 1:* rwm', 'a *:* m'],
  oomScoreAdj: -500,
  network: 'host',
  pidMode: 'container:abc',
  ipcMode: 'none',
  extraHosts: { db: '10.0.0.2', six: '::1' },
  dns: { servers: ['9.9.9.9'], search: ['.', 'example.org'], options: ['ndots:1'] },
  stopSignal: 'int',
  stopTimeoutMs: 0,
  runtime: 'crun',
  platform: 'linux/arm/v7',
  memoryBytes: 64 << 20,
  memorySwapBytes: -1,
  cpus: 1.5,
  cpusetCpus: '0-2,4',
  pidsLimit: -1,
};

const BAD: readonly [options: object, reason: Reason, field: string][] = [
  [{ image: 'a', rootfs: '/r' }, 'CONFLICTING_OPTIONS', 'rootfs'],
  [{ image: undefined }, 'BAD_OPTION', 'image'],
  [{ image: '' }, 'BAD_OPTION', 'image'],
  [{ image: 5 }, 'BAD_OPTION', 'image'],
  [{ image: null }, 'BAD_OPTION', 'image'],
  [{ image: undefined, rootfs: 'relative' }, 'BAD_OPTION', 'rootfs'],
  [{ name: '../x' }, 'BAD_NAME', 'name'],
  [{ name: 'a\nb' }, 'BAD_NAME', 'name'],
  [{ name: '-root' }, 'BAD_NAME', 'name'],
  [{ name: 'a'.repeat(129) }, 'BAD_NAME', 'name'],
  [{ command: 'true' }, 'BAD_OPTION', 'command'],
  [{ command: ['a', 1] }, 'BAD_OPTION', 'command[1]'],
  [{ command: ['a\0b'] }, 'BAD_OPTION', 'command[0]'],
  [{ env: ['NAME'] }, 'BAD_ENV', 'env[0]'],
  [{ env: ['=x'] }, 'BAD_ENV', 'env[0]'],
  [{ env: ['A=x\0'] }, 'BAD_ENV', 'env[0]'],
  [{ env: { 'A=B': 'c' } }, 'BAD_ENV', 'env["A=B"]'],
  [{ env: { 'A\nB': 'c' } }, 'BAD_ENV', 'env["A\\nB"]'],
  [{ env: { A: 1 } }, 'BAD_ENV', 'env["A"]'],
  [{ env: 'A=1' }, 'BAD_ENV', 'env'],
  [{ env: { A: 'x'.repeat(140_000) } }, 'BAD_ENV', 'env["A"]'],
  [{ workingDir: 'relative' }, 'BAD_WORKING_DIR', 'workingDir'],
  [{ workingDir: '/proc/self/fd/7' }, 'BAD_WORKING_DIR', 'workingDir'],
  [{ workingDir: '/a/../proc' }, 'BAD_WORKING_DIR', 'workingDir'],
  [{ workingDir: '/sys' }, 'BAD_WORKING_DIR', 'workingDir'],
  [{ user: 'a:b:c' }, 'BAD_USER', 'user'],
  [{ user: '4294967296' }, 'BAD_USER', 'user'],
  [{ user: '-1' }, 'BAD_USER', 'user'],
  [{ user: '0:2147483648' }, 'BAD_USER', 'user'],
  [{ user: 'a\n' }, 'BAD_USER', 'user'],
  [{ groups: [-1] }, 'BAD_USER', 'groups[0]'],
  [{ groups: ['a:b'] }, 'BAD_USER', 'groups[0]'],
  [{ hostname: 'a b' }, 'BAD_HOSTNAME', 'hostname'],
  [{ hostname: '-a' }, 'BAD_HOSTNAME', 'hostname'],
  [{ hostname: 'a'.repeat(64) }, 'BAD_HOSTNAME', 'hostname'],
  [{ domainname: 'x\ny' }, 'BAD_HOSTNAME', 'domainname'],
  [{ tty: 'yes' }, 'BAD_OPTION', 'tty'],
  [{ consoleSize: { rows: 1, columns: 1 } }, 'BAD_OPTION', 'consoleSize'],
  [{ tty: true, consoleSize: { rows: 0, columns: 1 } }, 'BAD_LIMIT', 'consoleSize.rows'],
  [{ tty: true, consoleSize: { rows: 1 } }, 'BAD_OPTION', 'consoleSize.columns'],
  [{ labels: { '': 'x' } }, 'BAD_LABEL', 'labels[""]'],
  [{ labels: { a: 1 } }, 'BAD_LABEL', 'labels["a"]'],
  [{ labels: ['a'] }, 'BAD_OPTION', 'labels'],
  [{ labels: new Map() }, 'BAD_OPTION', 'labels'],
  [{ annotations: { 'run.oci.handler': 'krun' } }, 'BAD_ANNOTATION', 'annotations["run.oci.handler"]'],
  [{ annotations: { 'IO.Containerd.x': '' } }, 'BAD_ANNOTATION', 'annotations["IO.Containerd.x"]'],
  [{ annotations: { 'org.systemd.property.X': '' } }, 'BAD_ANNOTATION', 'annotations["org.systemd.property.X"]'],
  [{ mounts: [{ type: 'bind', source: 'a', target: '/x' }] }, 'BAD_MOUNT_SOURCE', 'mounts[0].source'],
  [{ mounts: [{ type: 'bind', source: '/a', target: 'x' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a', target: '/x/../../etc' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a', target: '//' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a', target: '/./proc/self' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'tmpfs', target: '/sys/fs' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'tmpfs', target: '/dev' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a', target: '/dev/null' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a', target: '/dev/pts/0' }] }, 'BAD_MOUNT_TARGET', 'mounts[0].target'],
  [{ mounts: [{ type: 'bind', source: '/a' }] }, 'BAD_OPTION', 'mounts[0].target'],
  [{ mounts: [{ type: 'npipe', target: '/x' }] }, 'BAD_MOUNT_OPTION', 'mounts[0].type'],
  [{ mounts: [{ type: 'tmpfs', target: '/x', size: 1 }] }, 'UNKNOWN_OPTION', 'mounts[0].size'],
  [{ mounts: [{ type: 'tmpfs', target: '/x', sizeBytes: -1 }] }, 'BAD_LIMIT', 'mounts[0].sizeBytes'],
  [{ mounts: [{ type: 'tmpfs', target: '/x', mode: 0o10000 }] }, 'BAD_LIMIT', 'mounts[0].mode'],
  [
    { mounts: [{ type: 'bind', source: '/a', target: '/x', propagation: 'evil' }] },
    'BAD_MOUNT_OPTION',
    'mounts[0].propagation',
  ],
  [{ mounts: [{ type: 'volume', source: 'a/b', target: '/x' }] }, 'BAD_MOUNT_SOURCE', 'mounts[0].source'],
  [{ binds: ['/a:/x', '/b:/x/'] }, 'DUPLICATE_MOUNT_TARGET', 'binds[1]'],
  [{ binds: ['/a:/x'], tmpfs: { '/x': '' } }, 'DUPLICATE_MOUNT_TARGET', 'tmpfs["/x"]'],
  [{ binds: ['/a:ro'] }, 'BAD_MOUNT_SOURCE', 'binds[0]'],
  [{ binds: ['/a:/b:ro:x'] }, 'BAD_MOUNT_SOURCE', 'binds[0]'],
  [{ binds: ['/a:/b:ro,upperdir=/x'] }, 'BAD_MOUNT_OPTION', 'binds[0]'],
  [{ binds: ['../a:/b'] }, 'BAD_MOUNT_SOURCE', 'binds[0]'],
  [{ tmpfs: { '/x': 'lowerdir=/etc' } }, 'BAD_MOUNT_OPTION', 'tmpfs["/x"]'],
  [{ tmpfs: { '/x': 'size=-1' } }, 'BAD_MOUNT_OPTION', 'tmpfs["/x"]'],
  [{ tmpfs: { '/x': 'constructor=1' } }, 'BAD_MOUNT_OPTION', 'tmpfs["/x"]'],
  [{ tmpfs: { x: '' } }, 'BAD_MOUNT_TARGET', 'tmpfs["x"]'],
  [{ shmSizeBytes: 0 }, 'BAD_LIMIT', 'shmSizeBytes'],
  [{ capAdd: ['NET_ADMIM'] }, 'BAD_CAPABILITY', 'capAdd[0]'],
  [{ capDrop: ['constructor'] }, 'BAD_CAPABILITY', 'capDrop[0]'],
  [{ seccomp: 'none' }, 'BAD_SECCOMP_PROFILE', 'seccomp'],
  [{ seccomp: { defaultAction: 'ALLOW' } }, 'BAD_SECCOMP_PROFILE', 'seccomp.defaultAction'],
  [{ maskedPaths: ['x'] }, 'BAD_OPTION', 'maskedPaths[0]'],
  [{ ulimits: [{ name: 'NOFILE', soft: 1, hard: 1 }] }, 'BAD_ULIMIT', 'ulimits[0].name'],
  [{ ulimits: [{ name: 'nofile', soft: 2, hard: 1 }] }, 'BAD_ULIMIT', 'ulimits[0].soft'],
  [{ ulimits: [{ name: 'nofile', soft: -1, hard: 1 }] }, 'BAD_ULIMIT', 'ulimits[0].soft'],
  [{ ulimits: [{ name: 'nofile', soft: -2, hard: 1 }] }, 'BAD_ULIMIT', 'ulimits[0].soft'],
  [{ ulimits: [...'aa'].map(() => ({ name: 'core', soft: 0, hard: 0 })) }, 'BAD_ULIMIT', 'ulimits[1].name'],
  [{ sysctls: { 'kernel.core_pattern': '|/x' } }, 'BAD_SYSCTL', 'sysctls["kernel.core_pattern"]'],
  [{ sysctls: { 'net/../kernel/core_pattern': 'x' } }, 'BAD_SYSCTL', 'sysctls["net/../kernel/core_pattern"]'],
  [{ sysctls: { 'net..ipv4': 'x' } }, 'BAD_SYSCTL', 'sysctls["net..ipv4"]'],
  [{ sysctls: { 'net.core.somaxconn': '1\n2' } }, 'BAD_SYSCTL', 'sysctls["net.core.somaxconn"]'],
  [{ devices: [{ pathOnHost: 'dev/x' }] }, 'BAD_DEVICE', 'devices[0].pathOnHost'],
  [{ devices: [{ pathOnHost: '/dev/x', permissions: 'rwx' }] }, 'BAD_DEVICE', 'devices[0].permissions'],
  [{ devices: [{ pathOnHost: '/dev/x', permissions: 'rr' }] }, 'BAD_DEVICE', 'devices[0].permissions'],
  [{ devices: [{ pathOnHost: '/dev/x', pathInContainer: '/proc/x' }] }, 'BAD_DEVICE', 'devices[0].pathInContainer'],
  [{ deviceCgroupRules: ['c 1:3'] }, 'BAD_DEVICE', 'deviceCgroupRules[0]'],
  [{ oomScoreAdj: 1001 }, 'BAD_LIMIT', 'oomScoreAdj'],
  [{ network: 'a b' }, 'BAD_NAMESPACE_MODE', 'network'],
  [{ pidMode: 'shared' }, 'BAD_NAMESPACE_MODE', 'pidMode'],
  [{ pidMode: 'container:' }, 'BAD_NAMESPACE_MODE', 'pidMode'],
  [{ pidMode: 'container:../1' }, 'BAD_NAMESPACE_MODE', 'pidMode'],
  [{ ipcMode: 'container:<id>' }, 'BAD_NAMESPACE_MODE', 'ipcMode'],
  [{ utsMode: 'container:a' }, 'BAD_NAMESPACE_MODE', 'utsMode'],
  [{ utsMode: 'host', hostname: 'a' }, 'CONFLICTING_OPTIONS', 'hostname'],
  [{ extraHosts: { 'a\n1.2.3.4 bank': '1.2.3.4' } }, 'BAD_OPTION', 'extraHosts["a\\n1.2.3.4 bank"]'],
  [{ extraHosts: { a: '1.2.3' } }, 'BAD_OPTION', 'extraHosts["a"]'],
  [{ dns: { servers: ['x'] } }, 'BAD_OPTION', 'dns.servers[0]'],
  [{ dns: { options: ['a\nb'] } }, 'BAD_OPTION', 'dns.options[0]'],
  [{ dns: { server: [] } }, 'UNKNOWN_OPTION', 'dns.server'],
  [{ stopSignal: 'SIGNOPE' }, 'BAD_SIGNAL', 'stopSignal'],
  [{ stopSignal: '65' }, 'BAD_SIGNAL', 'stopSignal'],
  [{ stopSignal: 'constructor' }, 'BAD_SIGNAL', 'stopSignal'],
  [{ stopTimeoutMs: -1 }, 'BAD_LIMIT', 'stopTimeoutMs'],
  [{ stopTimeoutMs: 1.5 }, 'BAD_LIMIT', 'stopTimeoutMs'],
  [{ runtime: '/bin/sh' }, 'BAD_OPTION', 'runtime'],
  [{ platform: 'linux' }, 'BAD_OPTION', 'platform'],
  [{ memoryBytes: 1024 }, 'BAD_LIMIT', 'memoryBytes'],
  [{ memoryBytes: -1 }, 'BAD_LIMIT', 'memoryBytes'],
  [{ memoryBytes: Number.NaN }, 'BAD_LIMIT', 'memoryBytes'],
  [{ memoryBytes: 2 ** 60 }, 'BAD_LIMIT', 'memoryBytes'],
  [{ memoryBytes: '64m' }, 'BAD_LIMIT', 'memoryBytes'],
  [{ memorySwapBytes: -1 }, 'BAD_LIMIT', 'memorySwapBytes'],
  [{ memoryBytes: 64 << 20, memorySwapBytes: 32 << 20 }, 'BAD_LIMIT', 'memorySwapBytes'],
  [{ memoryBytes: 64 << 20, memoryReservationBytes: 128 << 20 }, 'BAD_LIMIT', 'memoryReservationBytes'],
  [{ memorySwappiness: 101 }, 'BAD_LIMIT', 'memorySwappiness'],
  [{ cpus: 0 }, 'BAD_LIMIT', 'cpus'],
  [{ cpus: Number.POSITIVE_INFINITY }, 'BAD_LIMIT', 'cpus'],
  [{ cpus: 1, cpuQuotaUs: 1000 }, 'CONFLICTING_OPTIONS', 'cpus'],
  [{ cpuShares: 1 }, 'BAD_LIMIT', 'cpuShares'],
  [{ cpuPeriodUs: 999 }, 'BAD_LIMIT', 'cpuPeriodUs'],
  [{ cpusetCpus: '3-1' }, 'BAD_LIMIT', 'cpusetCpus'],
  [{ cpusetMems: '0\n' }, 'BAD_LIMIT', 'cpusetMems'],
  [{ pidsLimit: 0 }, 'BAD_LIMIT', 'pidsLimit'],
  [{ blkioWeight: 5 }, 'BAD_LIMIT', 'blkioWeight'],
  [{ deviceReadBps: [{ path: '/dev/x', rate: 0 }] }, 'BAD_LIMIT', 'deviceReadBps[0].rate'],
];

describe('validateContainerOptions', () => {
  it('takes everything that may be asked and brings it into normal form', () => {
    const checked = validateContainerOptions(FULL);
    assert.equal(checked.workingDir, '/srv/dir');
    assert.deepEqual(checked.env, ['A=1', 'B=x=y']);
    assert.deepEqual(checked.capAdd, ['CAP_NET_ADMIN', 'CAP_SYS_TIME']);
    assert.equal(checked.stopSignal, 'SIGINT');
    assert.deepEqual(Object.keys(checked).sort(), Object.keys(FULL).sort());
    assert.deepEqual(validateContainerOptions(checked), checked, 'a checked copy passes again');
  });

  for (const [options, reason, field] of BAD) {
    it(`refuses ${JSON.stringify(options).slice(0, 90)}`, () => {
      const error = throwsReason(() => validateContainerOptions({ image: 'a', ...options }), reason, field);
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.ok(error.message.includes(field), error.message);
      assert.doesNotMatch(error.message, /[\n\0]/);
    });
  }

  it('refuses what is no options object', () => {
    for (const options of [undefined, null, 1, 'x', [], () => 1, new Date()]) {
      throwsReason(() => validateContainerOptions(options), 'BAD_OPTION');
    }
  });

  it('names the nearest option for a misspelt one', () => {
    const table = [
      ['memorybytes', 'memoryBytes'],
      ['workdir', 'workingDir'],
      ['enviroment', undefined],
      ['cap_add', 'capAdd'],
      ['memory', 'memoryBytes'],
      ['readonlyRootfs', 'readOnlyRootfs'],
    ] as const;
    for (const [typed, nearest] of table) {
      const error = throwsReason(() => validateContainerOptions({ image: 'a', [typed]: 1 }), 'UNKNOWN_OPTION', typed);
      assert.equal(error.details.nearest, nearest, typed);
    }
  });

  it('keeps prototype names as data', () => {
    const options = JSON.parse('{"image":"a","labels":{"__proto__":"1","constructor":"2"},"env":{"__proto__":"x"}}');
    const checked = validateContainerOptions(options);
    assert.deepEqual(Object.entries(checked.labels ?? {}), [
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
    assert.equal(JSON.stringify(checked.labels), '{"__proto__":"1","constructor":"2"}');
    assert.deepEqual(checked.env, ['__proto__=x']);
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
    throwsReason(
      () => validateContainerOptions(JSON.parse('{"image":"a","__proto__":{"tty":true}}')),
      'UNKNOWN_OPTION',
    );
  });

  it('does not show the values of the environment', () => {
    const error = throwsReason(() => validateContainerOptions({ image: 'a', env: ['PASSWORD=hunter2\0'] }), 'BAD_ENV');
    assert.doesNotMatch(JSON.stringify(error) + error.message, /hunter2/);
  });

  it('answers any junk in any field with a typed error or a copy', () => {
    const deep = JSON.parse('{"__proto__":{"a":1},"constructor":[],"a":{"b":[null]}}');
    const junk = [
      null,
      0,
      -0,
      1e308,
      Number.NaN,
      '',
      '\0',
      '\ud800',
      'a'.repeat(5000),
      true,
      [],
      [null],
      [[]],
      [{}],
      {},
      deep,
      5n,
    ];
    junk.push(...([Symbol('x'), () => 1, new Map(), Object.create(null)] as never[]));
    let refused = 0;
    for (const field of [...Object.keys(FULL), 'rootfs', 'nothing']) {
      for (const value of junk) {
        try {
          validateContainerOptions({ image: 'a', [field]: value });
        } catch (error) {
          assert.ok(EngineError.is(error, 'INVALID_ARGUMENT'), `${field}: ${String(error)}`);
          refused++;
        }
      }
    }
    assert.ok(refused > 500, `${refused}`);
    assert.equal(({} as Record<string, unknown>).a, undefined);
  });

  it('ignores fields that are undefined and copies deeply', () => {
    const command = ['a'];
    const checked = validateContainerOptions({ image: 'a', command, tty: undefined });
    command.push('b');
    assert.deepEqual(checked, { image: 'a', command: ['a'] });
  });
});
