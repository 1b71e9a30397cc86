import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildExecProcess, type ContainerOptions, stringifyProcess } from '#src/spec/index.js';
import { CRUN, hostFacts, missing, type Ran, TestBundle } from '#support/spec-bundle.js';

const DEFAULT_CAPS = 0xa80425fbn;

describe('generated specs under runc', { skip: missing() ?? false }, () => {
  let bundle: TestBundle;
  before(() => {
    bundle = new TestBundle();
  });
  after(() => bundle.close());

  function ok(script: string, options: Partial<ContainerOptions> = {}): string {
    return succeeded(bundle.run(script, options));
  }

  it('runs as root with the default capabilities, filtered, with three descriptors', () => {
    const out = ok(
      'grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups)" /proc/self/status; ls /proc/self/fd; cat /proc/self/oom_score_adj',
    );
    assert.equal(cap(out, 'CapInh'), 0n);
    assert.equal(cap(out, 'CapAmb'), 0n);
    assert.equal(cap(out, 'CapBnd'), DEFAULT_CAPS);
    assert.equal(cap(out, 'CapEff'), DEFAULT_CAPS);
    assert.equal(cap(out, 'CapPrm'), DEFAULT_CAPS);
    assert.match(out, /^Seccomp:\s+2$/m);
    assert.match(out, /^NoNewPrivs:\s+0$/m);
    assert.match(out, /^Groups:\s+0 50\s*$/m);
    // ls has the directory open as 3.
    assert.match(out, /\n0\n1\n2\n3\n0\n$/);
  });

  it('gives a user its groups and no active capabilities, also with added ones', () => {
    const out = ok('id -u; id -g; id -G; echo $HOME; pwd; grep -E "^Cap" /proc/self/status; id -G', {
      user: 'dev',
      groups: [77],
      capAdd: ['NET_ADMIN'],
      capDrop: ['chown'],
      workingDir: '/made/here',
    });
    assert.match(out, /^1000\n1000\n1000 29 50 77\n\/home\n\/made\/here\n/);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(cap(out, set), 0n, set);
    assert.equal(cap(out, 'CapBnd'), (DEFAULT_CAPS | (1n << 12n)) & ~1n);
  });

  it('denies by group what a group denies', () => {
    execFileSync('sh', ['-c', `cd ${bundle.rootfs}/tmp && echo x > denied && chgrp 29 denied && chmod 0704 denied`]);
    assert.notEqual(bundle.run('cat /tmp/denied', { user: 'dev' }).status, 0);
    assert.equal(bundle.run('cat /tmp/denied', { user: '1001' }).status, 0);
  });

  it('hides the environment of the host', () => {
    const lines = ok('env', { env: ['A=1', 'B=x y'], hostname: 'box' })
      .trim()
      .split('\n');
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const shell = lines.filter((line) => !/^(SHLVL|PWD|_)=/.test(line));
    assert.deepEqual(shell.sort(), ['A=1', 'B=x y', 'HOME=/root', 'HOSTNAME=box', path]);
  });

  it('masks and protects the paths of the kernel', () => {
    const out = ok(`
      for f in kcore keys timer_list interrupts; do [ -e /proc/$f ] && head -c 1 /proc/$f | grep -q . && echo "read $f"; done
      for d in /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do [ -e $d ] && [ -n "$(ls -A $d)" ] && echo "list $d"; done
      for f in /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/sysrq-trigger; do (echo x > $f) 2>/dev/null && echo "wrote $f"; done
      for d in /proc/bus /proc/fs /proc/irq /proc/sys; do [ -d $d ] && { grep -q " $d proc ro," /proc/mounts || echo "rw $d"; }; done
      (touch /sys/x) 2>/dev/null && echo "wrote /sys"
      for d in $(grep -E ' cgroup2? ' /proc/mounts | tr ' ' '\\n' | grep ^/sys); do (mkdir $d/x) 2>/dev/null && echo "made a cgroup in $d"; done
      for f in /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/release_agent; do [ -e $f ] && (echo 1 > $f) 2>/dev/null && echo "wrote $f"; done
      echo end`);
    assert.equal(out, 'end\n');
  });

  it('filters system calls: EPERM for the dangerous, ENOSYS for clone3', (t) => {
    if (arch() !== 'x64') return t.skip('numbers of x86-64');
    if (!bundle.addPerl()) return t.skip('needs perl');
    // socket(AF_ALG), socket(AF_VSOCK), unshare(CLONE_NEWUSER), keyctl, bpf, userfaultfd, io_uring_setup, mount, kexec_load,
    // add_key, perf_event_open, move_pages, then what must go through, then clone3 and clone(CLONE_NEWUSER).
    const denied = [
      '41,38,5,0',
      '41,40,1,0',
      '272,0x10000000',
      '250,0,0',
      '321,0,0,0',
      '323,0',
      '425,1,0',
      '165,0,0,0,0,0',
    ];
    denied.push(
      '246,0,0,0,0',
      '248,0,0,0,0,0',
      '298,0,0,-1,-1,0',
      '279,0,0,0,0,0,0',
      '56,0x10000000,0,0,0,0',
      '135,0x40000',
    );
    const calls = [...denied, '435,0,0', '41,1,1,0', '41,2,1,0', '41,16,3,0', '135,0xffffffff'];
    const script = calls.map((call) => `$!=0;syscall(${call});print $!+0,"\\n";`).join('');
    const probe = `perl -e '${script}'`;
    const numbers = ok(`PERL5LIB= /usr/bin/${probe}`).trim().split('\n').map(Number);
    assert.deepEqual(
      numbers.slice(0, denied.length),
      denied.map(() => 1),
      'EPERM',
    );
    assert.equal(numbers[denied.length], 38, 'clone3 is ENOSYS');
    assert.deepEqual(numbers.slice(denied.length + 1), [0, 0, 0, 0]);
    // The same calls without a filter fail otherwise or not at all: it is the filter that denies.
    const open = ok(`/usr/bin/perl -e '${script.slice(0, 200).replace(/;[^;]*$/, ';')}'`, { seccomp: 'unconfined' });
    assert.notEqual(Number(open.split('\n')[0]), 1);
  });

  it('applies a custom profile', () => {
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ name: 'mkdir', action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
    };
    const { stderr, status } = bundle.run('mkdir /tmp/never', { seccomp });
    assert.notEqual(status, 0);
    assert.match(stderr, /No space left/);
  });

  it('mounts binds, tmpfs and shm as asked', () => {
    const host = join(bundle.dir, 'a b,c:d');
    mkdirSync(join(host, 'below'), { recursive: true });
    writeFileSync(join(host, 'file'), 'hello\n');
    const out = ok(
      `cat /in/side/file; (touch /in/side/new) 2>/dev/null && echo wrote; touch /rw/new && echo rw
       df -k /dev/shm /scratch | grep -v Filesystem; stat -c %a /scratch; (touch /file) 2>&1; grep -E ' (/scratch|/dev/shm|/in/side) ' /proc/mounts`,
      {
        mounts: [
          { type: 'bind', source: host, target: '/in/side', readOnly: true },
          { type: 'bind', source: join(host, 'file'), target: '/etc/file' },
          { type: 'tmpfs', target: '/scratch', sizeBytes: 1 << 20, mode: 0o750 },
        ],
        binds: [`${join(bundle.dir, 'made')}:/rw`],
        shmSizeBytes: 2 << 20,
        readOnlyRootfs: true,
      },
    );
    assert.match(out, /^hello\nrw\n/);
    assert.match(out, / 2048 /);
    assert.match(out, / 1024 /);
    assert.match(out, /\n750\n/);
    assert.match(out, /\/file: Read-only file system/);
    assert.match(out, / \/scratch tmpfs rw,nosuid,nodev,noexec,/);
    assert.match(out, / \/in\/side \S+ ro,/);
    assert.ok(existsSync(join(bundle.dir, 'made/new')));
  });

  it('makes a recursive bind read-only down to the mounts below it', () => {
    const host = join(bundle.dir, 'tree');
    mkdirSync(join(host, 'sub'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'caisson-test', join(host, 'sub')]);
    try {
      const script = '(touch /tree/sub/x) 2>/dev/null && echo wrote; echo end';
      assert.equal(ok(script, { mounts: [{ type: 'bind', source: host, target: '/tree', readOnly: true }] }), 'end\n');
    } finally {
      execFileSync('umount', [join(host, 'sub')]);
    }
  });

  it('sets limits, names and sysctls', () => {
    const out = ok(
      `ulimit -n; ulimit -Hn; ulimit -c; hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start
       cat /proc/self/oom_score_adj; ls /sys/class/net | tr '\\n' ' '; grep NoNew /proc/self/status`,
      {
        ulimits: [
          { name: 'nofile', soft: 200, hard: 300 },
          { name: 'core', soft: -1, hard: -1 },
        ],
        hostname: 'one.two',
        domainname: 'example',
        sysctls: { 'kernel.msgmax': '4096' },
        oomScoreAdj: 321,
        noNewPrivileges: true,
      },
    );
    assert.match(out, /^200\n300\nunlimited\none\.two\nexample\n4096\n0\n321\nlo NoNewPrivs:\s1\n$/);
  });

  it('limits memory, processes and cpu', (t) => {
    if (hostFacts().cgroupVersion !== 1) return t.skip('reads files of cgroup v1');
    const files = [
      'memory/memory.limit_in_bytes',
      'memory/memory.soft_limit_in_bytes',
      'pids/pids.max',
      'cpu/cpu.cfs_quota_us',
      'cpu/cpu.shares',
    ];
    const script = `cd /sys/fs/cgroup; cat ${files.join(' ')}; [ -e memory/memory.memsw.limit_in_bytes ] && cat memory/memory.memsw.limit_in_bytes || echo 134217728`;
    const limits = {
      memoryBytes: 64 << 20,
      memoryReservationBytes: 32 << 20,
      pidsLimit: 50,
      cpus: 0.5,
      cpuShares: 512,
    };
    assert.equal(ok(script, limits), '67108864\n33554432\n50\n50000\n512\n134217728\n');
  });

  it('gives a privileged container everything and a device just that device', () => {
    const out = ok(`grep -E "^(CapEff|Seccomp:)" /proc/self/status; grep -E " /sys sysfs rw" /proc/mounts`, {
      privileged: true,
    });
    assert.equal(cap(out, 'CapEff'), hostFacts().capabilityMask);
    assert.match(out, /^Seccomp:\s+0$/m);
    assert.match(out, /sysfs rw/);
    const device = ok(
      'stat -c %t:%T /dev/mine; head -c 0 /dev/mine && echo readable; (echo > /dev/mine) 2>/dev/null || echo no',
      {
        capAdd: ['SYSLOG'],
        devices: [{ pathOnHost: '/dev/kmsg', pathInContainer: '/dev/mine', permissions: 'r' }],
      },
    );
    assert.equal(device, '1:b\nreadable\nno\n');
  });

  it('execs with the rights of the container, not more', () => {
    const { id, spec } = bundle.start({ capDrop: ['MKNOD'], env: { A: '1' } });
    const command = ['sh', '-c', 'grep -E "^(Cap|Seccomp:|Groups)" /proc/self/status; echo $A $B $HOME; pwd'];
    const root = succeeded(
      bundle.exec(
        id,
        stringifyProcess(buildExecProcess(spec.process, { command, env: { B: '2' }, workingDir: '/tmp' })),
      ),
    );
    assert.equal(cap(root, 'CapEff'), DEFAULT_CAPS & ~(1n << 27n));
    assert.equal(cap(root, 'CapInh'), 0n);
    assert.equal(cap(root, 'CapAmb'), 0n);
    assert.match(root, /^Seccomp:\s+2$/m);
    assert.match(root, /\n1 2 \/root\n\/tmp\n$/);
    const user = { uid: 1000, gid: 1000, additionalGids: [1000, 29], home: '/home' };
    const other = succeeded(
      bundle.exec(id, stringifyProcess(buildExecProcess(spec.process, { command, user, containerHome: '/root' }))),
    );
    assert.equal(cap(other, 'CapEff'), 0n);
    assert.equal(cap(other, 'CapInh'), 0n);
    assert.match(other, /^Groups:\s+29 1000\s*$/m);
    assert.match(other, /\n1 \/home\n\/\n$/);
  });

  it('runs under crun too', { skip: CRUN === undefined ? 'missing: crun' : false }, () => {
    const script =
      'grep -E "^(Cap|Seccomp:|Groups)" /proc/self/status; ulimit -Hn; grep " /t " /proc/mounts; id -u; ls /proc/self/fd';
    const options: Partial<ContainerOptions> = {
      user: 'dev',
      ulimits: [
        { name: 'nofile', soft: 100, hard: 300 },
        { name: 'core', soft: -1, hard: -1 },
      ],
      memoryBytes: 64 << 20,
      mounts: [{ type: 'bind', source: '/etc', target: '/t', readOnly: true }],
    };
    const out = succeeded(bundle.runWithCrun(script, options));
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(cap(out, set), 0n, set);
    assert.equal(cap(out, 'CapBnd'), DEFAULT_CAPS);
    assert.match(out, /^Seccomp:\s+2$/m);
    assert.match(out, /^Groups:\s+29 50 1000\s*$/m);
    assert.match(out, /\n300\n.* \/t \S+ ro.*\n1000\n0\n1\n2\n3\n$/);
  });

  it('leaves no cgroup behind', () => {
    const top = hostFacts().cgroupVersion === 1 ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
    bundle.run('true');
    const left = readdirSync(top).filter((name) => name.startsWith('caisson-spec-'));
    // The container of the exec test still runs until the end.
    assert.ok(left.length <= 1, left.join());
  });
});

function succeeded({ stdout, stderr, status }: Ran): string {
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}

function cap(out: string, name: string): bigint {
  const found = new RegExp(`^${name}:\\s+([0-9a-f]+)$`, 'm').exec(out);
  assert.ok(found, `${name} in ${out}`);
  return BigInt(`0x${found[1]}`);
}
