import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_CAPABILITIES, type OciSeccomp, resolveSeccomp, type SeccompFacts } from '#src/spec/index.js';
import { throwsReason } from '#support/throws-reason.js';

const FACTS: SeccompFacts = { capabilities: DEFAULT_CAPABILITIES, architecture: 'x64', kernelVersion: '6.1.0' };

/** What the filter does with a call: the action of the first rule whose conditions hold, as libseccomp would. */
function verdict(filter: OciSeccomp | undefined, name: string, args: number[] = []): string {
  const hit = filter?.syscalls?.find(
    (rule) =>
      rule.names.includes(name) &&
      (rule.args ?? []).every(({ index, value, valueTwo = 0, op }) => {
        const arg = BigInt(args[index] ?? 0);
        if (op === 'SCMP_CMP_LT') return arg < BigInt(value);
        if (op === 'SCMP_CMP_GT') return arg > BigInt(value);
        if (op === 'SCMP_CMP_MASKED_EQ') return (arg & BigInt(value)) === BigInt(valueTwo);
        assert.equal(op, 'SCMP_CMP_EQ');
        return arg === BigInt(value);
      }),
  );
  if (hit?.action === 'SCMP_ACT_ALLOW') return 'allow';
  return `errno ${hit?.errnoRet ?? filter?.defaultErrnoRet}`;
}

const withCaps = (...names: string[]): OciSeccomp | undefined =>
  resolveSeccomp('default', { ...FACTS, capabilities: [...DEFAULT_CAPABILITIES, ...names] });

describe('the default seccomp profile', () => {
  const filter = resolveSeccomp('default', FACTS);

  it('fails with EPERM unless a rule allows, on every ABI of the machine', () => {
    assert.equal(filter?.defaultAction, 'SCMP_ACT_ERRNO');
    assert.equal(filter?.defaultErrnoRet, 1);
    assert.deepEqual(filter?.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    const arm = resolveSeccomp('default', { ...FACTS, architecture: 'arm64' });
    assert.deepEqual(arm?.architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    assert.equal(verdict(arm, 'arch_prctl'), 'errno 1');
    assert.equal(verdict(arm, 'cacheflush'), 'allow');
    assert.equal(verdict(filter, 'arch_prctl'), 'allow');
  });

  it('denies sockets of AF_ALG and AF_VSOCK and no others', () => {
    for (let family = 0; family < 64; family++) {
      assert.equal(
        verdict(filter, 'socket', [family]),
        family === 38 || family === 40 ? 'errno 1' : 'allow',
        `${family}`,
      );
    }
    // One argument twice in a rule would be joined by "or".
    for (const rule of filter?.syscalls ?? []) assert.ok((rule.args?.length ?? 0) <= 1);
  });

  it('lets threads be made but no namespaces', () => {
    assert.equal(verdict(filter, 'clone', [0x3d0f00]), 'allow');
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      assert.equal(verdict(filter, 'clone', [flag | 0x11]), 'errno 1', flag.toString(16));
    }
    assert.equal(verdict(filter, 'clone3'), 'errno 38');
    const s390 = resolveSeccomp('default', { ...FACTS, architecture: 's390x' });
    assert.equal(verdict(s390, 'clone', [0x10000000, 0]), 'allow', 'flags are the second argument there');
    assert.equal(verdict(s390, 'clone', [0, 0x10000000]), 'errno 1');
  });

  it('allows personalities that only choose a domain', () => {
    for (const value of [0, 8, 0x20000, 0x20008, 0xffffffff]) {
      assert.equal(verdict(filter, 'personality', [value]), 'allow');
    }
    assert.equal(verdict(filter, 'personality', [0x40000]), 'errno 1');
  });

  it('has none of the dangerous calls without a capability', () => {
    const denied = `io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key bpf userfaultfd perf_event_open
      mount umount2 unshare setns pivot_root kexec_load kexec_file_load init_module delete_module open_by_handle_at ptrace_x
      swapon reboot acct quotactl move_pages mbind iopl ioperm settimeofday clock_settime nfsservctl uselib _sysctl sysfs
      vm86 fsopen fsmount move_mount open_tree lookup_dcookie kcmp pidfd_getfd process_madvise syslog vhangup create_module`;
    for (const name of denied.split(/\s+/)) assert.equal(verdict(filter, name), 'errno 1', name);
  });

  it('gives calls with the capability that they need', () => {
    const table = [
      ['CAP_SYS_ADMIN', 'mount unshare setns bpf clone3 fsopen'],
      ['CAP_SYS_PTRACE', 'kcmp pidfd_getfd process_madvise'],
      ['CAP_SYS_TIME', 'settimeofday clock_settime'],
      ['CAP_SYS_MODULE', 'init_module finit_module'],
      ['CAP_SYS_NICE', 'mbind set_mempolicy'],
      ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
      ['CAP_BPF', 'bpf'],
      ['CAP_PERFMON', 'perf_event_open'],
      ['CAP_SYSLOG', 'syslog'],
      ['CAP_SYS_BOOT', 'reboot'],
    ] as const;
    for (const [capability, names] of table) {
      for (const name of names.split(' ')) assert.equal(verdict(withCaps(capability), name), 'allow', name);
    }
    assert.equal(verdict(withCaps('CAP_SYS_ADMIN'), 'clone', [0x10000000]), 'allow');
    assert.equal(verdict(withCaps('CAP_SYS_ADMIN'), 'keyctl'), 'errno 1');
    assert.equal(verdict(resolveSeccomp('default', { ...FACTS, capabilities: [] }), 'chroot'), 'errno 1');
  });

  it('lets old kernels trace nobody', () => {
    assert.equal(verdict(filter, 'ptrace'), 'allow');
    assert.equal(verdict(resolveSeccomp('default', { ...FACTS, kernelVersion: '4.7.10' }), 'ptrace'), 'errno 1');
    assert.equal(verdict(resolveSeccomp('default', { ...FACTS, kernelVersion: '10.0' }), 'ptrace'), 'allow');
  });

  it('names each call in one group and is made once', () => {
    const names = filter?.syscalls?.[0]?.names ?? [];
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.every((name) => /^[a-z0-9_]+$/.test(name)));
    assert.equal(resolveSeccomp('default', { ...FACTS, capabilities: [...DEFAULT_CAPABILITIES].reverse() }), filter);
    assert.ok(Object.isFrozen(filter?.syscalls?.[0]?.names));
  });
});

describe('a custom seccomp profile', () => {
  it('may be in the OCI format', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [
        { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 5, args: [{ index: 1, value: 2, op: 'SCMP_CMP_NE' }] },
      ],
    };
    assert.deepEqual(resolveSeccomp(profile, FACTS), profile);
    assert.equal(resolveSeccomp('unconfined', FACTS), undefined);
  });

  it('may be in the format of Docker', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: null },
      ],
      syscalls: [
        { name: 'read', action: 'SCMP_ACT_ALLOW', args: null, comment: 'x', includes: {}, excludes: {} },
        { names: ['a'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } },
        { names: ['b'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] } },
        { names: ['c'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'], minKernel: '5.0' } },
        { names: ['d'], action: 'SCMP_ACT_ALLOW', excludes: { minKernel: '5.0' } },
        { names: ['e'], action: 'SCMP_ACT_ALLOW', excludes: { arches: ['amd64'] } },
      ],
    };
    assert.deepEqual(resolveSeccomp(profile, FACTS), {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW' },
        { names: ['c'], action: 'SCMP_ACT_ALLOW' },
      ],
    });
  });

  const rule = { names: ['x'], action: 'SCMP_ACT_ALLOW' };
  const bad: readonly [profile: unknown, field: string][] = [
    [[], 'seccomp'],
    [{}, 'seccomp.defaultAction'],
    [{ defaultAction: 'SCMP_ACT_NOTIFY' }, 'seccomp.defaultAction'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/s' }, 'seccomp.listenerPath'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', flags: ['X'] }, 'seccomp.flags[0]'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['amd64'] }, 'seccomp.architectures[0]'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: -1 }, 'seccomp.defaultErrnoRet'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }, 'seccomp.syscalls'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, names: [] }] }, 'seccomp.syscalls[0].names'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, name: 'x' }] }, 'seccomp.syscalls[0].name'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, names: ['a b'] }] }, 'seccomp.syscalls[0].names[0]'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, action: 'ALLOW' }] }, 'seccomp.syscalls[0].action'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, extra: 1 }] }, 'seccomp.syscalls[0].extra'],
    [
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }] },
      'seccomp.syscalls[0].args[0].index',
    ],
    [
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, includes: { caps: ['CHOWN'] } }] },
      'seccomp.syscalls[0].includes.caps[0]',
    ],
    [
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, includes: { minKernel: 5 } }] },
      'seccomp.syscalls[0].includes.minKernel',
    ],
  ];
  for (const [profile, field] of bad) {
    it(`is refused for ${field}: ${JSON.stringify(profile).slice(0, 80)}`, () => {
      throwsReason(
        () => resolveSeccomp(profile as object as Record<string, unknown>, FACTS),
        'BAD_SECCOMP_PROFILE',
        field,
      );
    });
  }
});
