import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Reason } from '#src/errors/index.js';
import {
  type ContainerOptions,
  generateSpec,
  type SpecInput,
  stringifyProcess,
  stringifySpec,
  writeSpec,
} from '#src/spec/index.js';
import { tempDir } from '#support/roots.js';
import { FACTS, ID, imageConfig, specInput } from '#support/spec-fixtures.js';
import { throwsReason } from '#support/throws-reason.js';

const DEFAULT_CAPS = `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
  SYS_CHROOT KILL AUDIT_WRITE`
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

function spec(options: Partial<ContainerOptions> = {}, more: Partial<SpecInput> = {}) {
  return generateSpec(specInput(options, more));
}

const byTarget = (options: Partial<ContainerOptions>, target: string, more: Partial<SpecInput> = {}) =>
  spec(options, more).mounts.find((mount) => mount.destination === target);

describe('generateSpec', () => {
  it('makes this document when nothing is asked', () => {
    const { linux, ...rest } = spec();
    const { seccomp, ...others } = linux;
    assert.deepEqual(rest, {
      ociVersion: '1.0.2',
      process: {
        terminal: false,
        user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [0] },
        args: ['true'],
        env: [
          'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          'HOSTNAME=abcdef012345',
          'HOME=/root',
        ],
        cwd: '/',
        capabilities: { ...caps(DEFAULT_CAPS), inheritable: [], ambient: [] },
        noNewPrivileges: false,
        oomScoreAdj: 0,
      },
      root: { path: '/run/x/rootfs', readonly: false },
      hostname: 'abcdef012345',
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
        {
          destination: '/dev',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
        },
        {
          destination: '/dev/pts',
          type: 'devpts',
          source: 'devpts',
          options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
        },
        { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
        {
          destination: '/sys/fs/cgroup',
          type: 'cgroup',
          source: 'cgroup',
          options: ['nosuid', 'noexec', 'nodev', 'ro'],
        },
        { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
        {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=67108864'],
        },
      ],
    });
    assert.deepEqual(others, {
      namespaces: ['mount', 'network', 'uts', 'pid', 'ipc'].map((type) => ({ type })),
      cgroupsPath: '/caisson/x',
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', access: 'm' },
          { allow: true, type: 'b', access: 'm' },
          ...[3, 5, 7, 8, 9].map((minor) => ({ allow: true, type: 'c', major: 1, minor, access: 'rwm' })),
          ...[0, 1, 2].map((minor) => ({ allow: true, type: 'c', major: 5, minor, access: 'rwm' })),
          { allow: true, type: 'c', major: 136, access: 'rwm' },
        ],
      },
      sysctl: Object.assign(Object.create(null), {
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ping_group_range': '0 2147483647',
      }),
      maskedPaths: [
        ...['acpi', 'asound', 'interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi'].map(
          (n) => `/proc/${n}`,
        ),
        ...['/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware'],
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    });
    assert.equal(seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  });

  const commands: readonly [
    image: [entrypoint: string[], cmd: string[]],
    options: Partial<ContainerOptions>,
    args: string[] | 'NO_COMMAND',
  ][] = [
    [[['e'], ['c']], {}, ['e', 'c']],
    [[['e'], ['c']], { command: ['x', 'y'] }, ['e', 'x', 'y']],
    [[['e'], ['c']], { command: [] }, ['e', 'c']],
    [[['e'], ['c']], { entrypoint: ['n'] }, ['n']],
    [[['e'], ['c']], { entrypoint: ['n'], command: ['x'] }, ['n', 'x']],
    [[['e'], ['c']], { entrypoint: [] }, ['c']],
    [[['e'], ['c']], { entrypoint: [''], command: ['x'] }, ['x']],
    [[['e'], ['c']], { entrypoint: [''] }, 'NO_COMMAND'],
    [[[], ['c']], {}, ['c']],
    [[['e'], []], {}, ['e']],
    [[['e'], []], { entrypoint: [] }, 'NO_COMMAND'],
    [[[], []], {}, 'NO_COMMAND'],
    [[[], []], { command: [''] }, 'NO_COMMAND'],
  ];
  for (const [[entrypoint, cmd], options, args] of commands) {
    it(`command of ${JSON.stringify({ entrypoint, cmd })} and ${JSON.stringify(options)}`, () => {
      const input = specInput({}, { image: imageConfig({ entrypoint, cmd }) });
      const run = () => generateSpec({ ...input, options: { image: 'a', ...options } }).process.args;
      if (args === 'NO_COMMAND') throwsReason(run, args);
      else assert.deepEqual(run(), args);
    });
  }

  it('runs the command under an init in a pid namespace of its own only', () => {
    const { process, mounts } = spec({ init: true }, { initPath: '/usr/bin/tini' });
    assert.deepEqual(process.args, ['/sbin/caisson-init', '--', 'true']);
    assert.deepEqual(mounts.at(-1), {
      destination: '/sbin/caisson-init',
      type: 'bind',
      source: '/usr/bin/tini',
      options: ['bind', 'rprivate', 'ro'],
    });
    assert.deepEqual(spec({ init: true, pidMode: 'host' }, { initPath: '/x' }).process.args, ['true']);
    throwsReason(() => spec({ init: true }), 'TOOL_MISSING');
  });

  it('puts the environment of the caller over that of the image and nothing of the host', () => {
    process.env.CAISSON_TEST_SECRET = 'x';
    const env = ['PATH=/i', 'A=1', 'B=2', 'CAISSON_TEST_SECRET', '*', '=x', 'N\0=1', 'A=3'];
    try {
      const made = spec({ env: { B: '4', HOME: '/h' }, tty: true }, { image: imageConfig({ env }) }).process.env;
      assert.deepEqual(made, ['PATH=/i', 'HOSTNAME=abcdef012345', 'TERM=xterm', 'HOME=/h', 'A=3', 'B=4']);
    } finally {
      delete process.env.CAISSON_TEST_SECRET;
    }
  });

  it('takes nothing else of a hostile image', () => {
    const keys = ['run.oci.handler', 'io.containerd.runc.v2.group', 'caisson.x', '__proto__'];
    const image = imageConfig({
      labels: new Map(keys.map((key) => [key, 'evil'])),
      volumes: ['/proc', '/x'],
      exposedPorts: ['1/tcp'],
      stopSignal: 'evil',
    });
    assert.equal(stringifySpec(spec({}, { image })), stringifySpec(spec({}, { image: imageConfig() })));
  });

  it('starts in the directory of the options, the image or the root', () => {
    assert.equal(spec({ workingDir: '/a//b/.' }).process.cwd, '/a/b');
    assert.equal(spec({}, { image: imageConfig({ workingDir: '/w/' }) }).process.cwd, '/w');
    for (const workingDir of ['/proc/self/fd/8', 'relative', '/a/../../b', '/sys/fs', '/x\0']) {
      throwsReason(() => spec({}, { image: imageConfig({ workingDir }) }), 'BAD_WORKING_DIR', 'image.WorkingDir');
    }
  });

  it('has a terminal with its size when asked', () => {
    const { process } = spec({ tty: true, consoleSize: { rows: 30, columns: 100 } });
    assert.equal(process.terminal, true);
    assert.deepEqual(process.consoleSize, { height: 30, width: 100 });
  });

  const capabilities: readonly [Partial<ContainerOptions>, string[]][] = [
    [{ capDrop: ['ALL'] }, []],
    [{ capDrop: ['all'], capAdd: ['net_admin', 'CHOWN'] }, ['CAP_NET_ADMIN', 'CAP_CHOWN']],
    [{ capAdd: ['SYS_TIME', 'chown'] }, [...DEFAULT_CAPS, 'CAP_SYS_TIME']],
    [{ capDrop: ['MKNOD', 'CAP_NET_RAW'] }, DEFAULT_CAPS.filter((n) => n !== 'CAP_MKNOD' && n !== 'CAP_NET_RAW')],
    [{ capDrop: ['KILL'], capAdd: ['KILL'] }, [...DEFAULT_CAPS.filter((n) => n !== 'CAP_KILL'), 'CAP_KILL']],
  ];
  for (const [options, expected] of capabilities) {
    it(`has the capabilities of ${JSON.stringify(options)}`, () => {
      assert.deepEqual(spec(options).process.capabilities, { ...caps(expected), inheritable: [], ambient: [] });
    });
  }

  it('knows all capabilities up to the last of the kernel and of the engine', () => {
    const all = (more: Partial<SpecInput['hostFacts']>, options: Partial<ContainerOptions> = { capAdd: ['ALL'] }) =>
      spec(options, { hostFacts: { ...FACTS, ...more } }).process.capabilities?.bounding ?? [];
    assert.equal(all({}).length, 41);
    assert.equal(all({ lastCapability: 37 }).length, 38);
    assert.equal(all({}, { privileged: true }).length, 41);
    assert.equal(all({}, { capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }).includes('CAP_SYS_ADMIN'), false);
    assert.deepEqual(all({ capabilityMask: 0b11n }), ['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
    assert.deepEqual(all({ capabilityMask: 0b1n }, {}), ['CAP_CHOWN']);
    throwsReason(() => all({ lastCapability: 37 }, { capAdd: ['BPF'] }), 'BAD_CAPABILITY', 'capAdd[0]');
    throwsReason(() => all({ capabilityMask: 1n }, { capAdd: ['KILL'] }), 'BAD_CAPABILITY', 'capAdd[0]');
  });

  it('gives a user other than root no active capability', () => {
    const user = { uid: 5, gid: 6, additionalGids: [6, 7], home: '/h' };
    const { process } = spec({ capAdd: ['NET_ADMIN'] }, { user });
    assert.deepEqual(process.user, { uid: 5, gid: 6, umask: 0o022, additionalGids: [6, 7] });
    assert.deepEqual([process.capabilities?.effective, process.capabilities?.permitted], [[], []]);
    assert.ok(process.capabilities?.bounding.includes('CAP_NET_ADMIN'));
  });

  it('loosens for a privileged container what Docker does', () => {
    const { linux, mounts } = spec({ privileged: true });
    assert.equal(linux.seccomp, undefined);
    assert.deepEqual([linux.maskedPaths, linux.readonlyPaths], [[], []]);
    assert.deepEqual(linux.resources?.devices, [{ allow: true, access: 'rwm' }]);
    for (const target of ['/sys', '/sys/fs/cgroup']) {
      assert.equal(mounts.find((mount) => mount.destination === target)?.options?.includes('ro'), false, target);
    }
    const profile = { defaultAction: 'SCMP_ACT_ALLOW' };
    assert.equal(spec({ privileged: true, seccomp: profile }).linux.seccomp?.defaultAction, 'SCMP_ACT_ALLOW');
  });

  const namespaces: readonly [Partial<ContainerOptions>, string[], Partial<SpecInput>][] = [
    [{}, ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'], { hostFacts: { ...FACTS, cgroupVersion: 2 } }],
    [
      { cgroupnsMode: 'host' },
      ['mount', 'network', 'uts', 'pid', 'ipc'],
      { hostFacts: { ...FACTS, cgroupVersion: 2 } },
    ],
    [{ cgroupnsMode: 'private' }, ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'], {}],
    [{ network: 'host', utsMode: 'host', pidMode: 'host', ipcMode: 'host' }, ['mount'], {}],
    [
      { network: 'container:a', pidMode: 'container:a', ipcMode: 'container:a' },
      ['mount', 'network=/n', 'uts', 'pid=/p', 'ipc=/i'],
      { namespacePaths: { network: '/n', pid: '/p', ipc: '/i' } },
    ],
  ];
  for (const [options, expected, more] of namespaces) {
    it(`has the namespaces of ${JSON.stringify(options)} on cgroup v${more.hostFacts?.cgroupVersion ?? 1}`, () => {
      const made = spec(options, more).linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type));
      assert.deepEqual(made, expected);
    });
  }

  it('refuses to join what has no path', () => {
    throwsReason(() => spec({ network: 'bridge' }), 'BAD_NAMESPACE_MODE', 'network');
    throwsReason(() => spec({ pidMode: 'container:a' }), 'BAD_NAMESPACE_MODE', 'pidMode');
    throwsReason(() => spec({ ipcMode: 'container:a' }), 'BAD_NAMESPACE_MODE', 'ipcMode');
  });

  it('names itself and its domain', () => {
    const named = spec({ hostname: 'h', domainname: 'd' });
    assert.equal(named.hostname, 'h');
    assert.equal(named.linux.sysctl?.['kernel.domainname'], 'd');
    const onHost = spec({ utsMode: 'host' }, { hostFacts: { ...FACTS, hostname: 'real' } });
    assert.equal(onHost.hostname, undefined);
    assert.ok(onHost.process.env.includes('HOSTNAME=real'));
    assert.equal(spec({ network: 'host' }, { hostFacts: { ...FACTS, hostname: 'real' } }).hostname, 'real');
    assert.equal(spec().hostname, ID.slice(0, 12));
  });

  it('sets sysctls of its own namespaces only', () => {
    const sysctls = { 'net.core.somaxconn': '9', 'kernel.shmmax': '8', 'net.ipv4.ip_unprivileged_port_start': '1024' };
    const made = spec({ sysctls }).linux.sysctl;
    assert.deepEqual({ ...made }, { ...sysctls, 'net.ipv4.ping_group_range': '0 2147483647' });
    throwsReason(() => spec({ sysctls: { 'net.a': '1' }, network: 'host' }), 'BAD_SYSCTL');
    throwsReason(() => spec({ sysctls: { 'kernel.sem': '1' }, ipcMode: 'host' }), 'BAD_SYSCTL');
    assert.equal(spec({ network: 'host' }).linux.sysctl, undefined);
  });

  it('shares memory as the ipc mode says', () => {
    assert.equal(byTarget({ ipcMode: 'none' }, '/dev/shm'), undefined);
    assert.equal(byTarget({ ipcMode: 'host' }, '/dev/shm')?.source, '/dev/shm');
    const namespacePaths = { ipc: '/i' };
    assert.equal(byTarget({ ipcMode: 'container:a' }, '/dev/shm', { namespacePaths, shmPath: '/s' })?.source, '/s');
    assert.ok(byTarget({ shmSizeBytes: 4096 }, '/dev/shm')?.options?.includes('size=4096'));
  });

  it('orders mounts by depth and lets them replace the defaults', () => {
    const { mounts } = spec(
      {
        binds: ['/h/deep:/a/b/c:ro', '/h:/a:rslave'],
        tmpfs: { '/dev/shm': 'size=1m', '/a/b': 'exec' },
        mounts: [{ type: 'bind', source: '/mine', target: '/etc/hosts', readOnly: true, nonRecursive: true }],
      },
      { files: { hosts: '/run/hosts', resolvConf: '/run/resolv', hostname: '/run/name' } },
    );
    const targets = mounts.map((mount) => mount.destination);
    assert.deepEqual(targets.slice(6), [
      '/etc/resolv.conf',
      '/etc/hostname',
      '/a',
      '/etc/hosts',
      '/dev/shm',
      '/a/b',
      '/a/b/c',
    ]);
    const options = (target: string) => mounts.find((mount) => mount.destination === target)?.options?.join();
    assert.equal(options('/a'), 'rbind,rslave');
    assert.equal(options('/a/b/c'), 'rbind,rprivate,ro,rro');
    assert.equal(options('/etc/hosts'), 'bind,rprivate,ro');
    assert.equal(options('/a/b'), 'nosuid,nodev,exec');
    assert.equal(options('/dev/shm'), 'noexec,nosuid,nodev,size=1m');
    assert.equal(spec({ binds: ['/h:/a:rslave'] }).linux.rootfsPropagation, 'rslave');
    assert.equal(spec({ binds: ['/h:/a:shared'] }).linux.rootfsPropagation, 'shared');
    const old = { ...FACTS, kernelVersion: '5.10.0' };
    assert.deepEqual(byTarget({ binds: ['/h:/a:ro'] }, '/a', { hostFacts: old })?.options, ['rbind', 'rprivate', 'ro']);
  });

  it('binds volumes where their host directories are known', () => {
    const mounts = [{ type: 'volume', source: 'data', target: '/v', readOnly: true }] as const;
    const volumePaths = new Map([['/v', '/vols/data']]);
    assert.deepEqual(byTarget({ mounts }, '/v', { volumePaths }), {
      destination: '/v',
      type: 'bind',
      source: '/vols/data',
      options: ['rbind', 'rprivate', 'ro', 'rro'],
    });
  });

  it('writes the limits', () => {
    const { linux } = spec({
      memoryBytes: 100 << 20,
      memoryReservationBytes: 50 << 20,
      memorySwappiness: 10,
      oomKillDisable: true,
      cpus: 1.5,
      cpuShares: 100,
      cpusetCpus: '0',
      pidsLimit: -1,
      blkioWeight: 10,
    });
    const { devices: _devices, ...limits } = linux.resources ?? {};
    assert.deepEqual(limits, {
      memory: { limit: 100 << 20, swap: 200 << 20, reservation: 50 << 20, swappiness: 10, disableOOMKiller: true },
      cpu: { shares: 100, period: 100000, quota: 150000, cpus: '0' },
      pids: { limit: -1 },
      blockIO: { weight: 10 },
    });
    const memory = (options: Partial<ContainerOptions>, more = {}) =>
      spec(options, { hostFacts: { ...FACTS, ...more } }).linux.resources?.memory;
    assert.deepEqual(memory({ memoryBytes: 7 << 20, memorySwapBytes: -1 }), { limit: 7 << 20, swap: -1 });
    assert.deepEqual(memory({ memoryBytes: 7 << 20 }, { swapLimit: false }), { limit: 7 << 20 });
    throwsReason(() => memory({ memorySwappiness: 5 }, { cgroupVersion: 2 }), 'UNSUPPORTED_HOST', 'memorySwappiness');
    throwsReason(
      () => spec({ deviceReadBps: [{ path: '/dev/null', rate: 1 }] }),
      'BAD_DEVICE',
      'deviceReadBps[0].path',
    );
  });

  it('adds devices and rules', () => {
    const device = { type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 } as const;
    const { linux } = spec(
      { deviceCgroupRules: ['b 8:* r'] },
      { devices: [{ ...device, path: '/dev/fuse', permissions: 'rw' }] },
    );
    assert.deepEqual(linux.devices, [{ ...device, path: '/dev/fuse' }]);
    assert.deepEqual(linux.resources?.devices?.slice(-2), [
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      { allow: true, type: 'b', major: 8, access: 'r' },
    ]);
  });

  it('refuses annotations that steer and keeps the others, whatever their key', () => {
    const annotations = JSON.parse('{"org.example":"1","__proto__":"2"}');
    const made = spec({ annotations }, { engineAnnotations: { 'run.oci.seccomp_bpf_data': 'x' } });
    const text = '{"org.example":"1","__proto__":"2","run.oci.seccomp_bpf_data":"x"}';
    assert.equal(JSON.stringify(made.annotations), text);
    assert.ok(stringifySpec(made).includes(text));
    for (const key of [
      'io.kubernetes.cri.sandbox-id',
      'run.oci.hooks.stdout',
      'module.wasm.image',
      'org.criu.config',
    ]) {
      throwsReason(() => spec({ annotations: { [key]: '' } }), 'BAD_ANNOTATION');
    }
  });

  const kernels: readonly [Partial<ContainerOptions>, boolean, Reason | undefined][] = [
    [{}, false, 'UNSUPPORTED_HOST'],
    [{ seccomp: 'unconfined' }, false, undefined],
    [{ privileged: true }, false, undefined],
  ];
  for (const [options, seccomp, reason] of kernels) {
    it(`${reason ? 'refuses' : 'takes'} ${JSON.stringify(options)} on a kernel without seccomp`, () => {
      const run = () => spec(options, { hostFacts: { ...FACTS, seccomp } });
      if (reason) throwsReason(run, reason);
      else assert.equal(run().linux.seccomp, undefined);
    });
  }
});

describe('stringifySpec', () => {
  it('writes what JSON.stringify would', () => {
    const made = spec({ annotations: { a: 'b' }, ulimits: [{ name: 'core', soft: 1, hard: 2 }] });
    assert.deepEqual(JSON.parse(stringifySpec(made)), JSON.parse(JSON.stringify(made)));
    const bare = spec({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } });
    assert.deepEqual(JSON.parse(stringifySpec(bare)), JSON.parse(JSON.stringify(bare)));
    const open = spec({ seccomp: 'unconfined' });
    assert.deepEqual(JSON.parse(stringifySpec(open)), JSON.parse(JSON.stringify(open)));
  });

  it('puts a compiled filter in the place of the profile, beside the annotations', (t) => {
    const path = join(tempDir(t), 'config.json');
    for (const annotations of [undefined, { a: 'ü "quoted"' }]) {
      const made = spec(annotations === undefined ? {} : { annotations });
      for (const text of ['QUJD', 'REVG']) {
        writeSpec(path, made, { annotation: 'x.y', text });
        const { seccomp, ...linux } = made.linux;
        assert.ok(seccomp !== undefined);
        const wanted = { ...made, linux, annotations: { ...made.annotations, 'x.y': text } };
        assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(JSON.stringify(wanted)));
      }
      writeSpec(path, made);
      assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(JSON.stringify(made)));
    }
  });

  it('keeps all bits of an unlimited rlimit', () => {
    const { process } = spec({ ulimits: [{ name: 'core', soft: 5, hard: -1 }], env: { A: '18446744073709552000' } });
    const text = stringifyProcess(process);
    assert.ok(text.endsWith('"rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":5}]}'), text);
    assert.ok(text.includes('A=18446744073709552000'));
  });
});

function caps(list: readonly string[]) {
  return { bounding: list, effective: list, permitted: list };
}
