/**
 * Opens an engine on the runtime that is named and prints, as JSON, what processes in its containers may do. A program
 * of its own because crun needs a mount namespace of its own on a host with hybrid cgroups.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Engine } from 'caisson';
import { findExecutable } from '#src/os/index.js';

const [runtime = 'runc'] = process.argv.slice(2);
const dir = mkdtempSync(`${tmpdir()}/caisson-probe-`);
const engine = await Engine.open({ root: `${dir}/root`, runDir: `${dir}/run`, defaultRuntime: runtime });
const reference = 'test/probe';
process.umask(0);

/** errno of each system call, in turn; 0 where it went through. */
function errnos(calls: readonly string[]): string {
  return calls.map((call) => `$!=0;$r=syscall(${call});print $r>=0?0:$!+0,"\\n";`).join('');
}

// x86-64: socket(AF_ALG), socket(AF_VSOCK), then each of the calls that have been ways out.
const DENIED = [
  ...[
    '41,38,5,0',
    '41,40,1,0',
    '272,0x10000000',
    '272,0x20000',
    '250,0,-3,0',
    '321,0,0,0',
    '323,0',
    '425,1,0',
    '426,0,0,0,0,0,0',
  ],
  ...['165,0,0,0,0,0', '166,0,0', '246,0,0,0,0', '248,0,0,0,0,0', '249,0,0,0,0', '298,0,0,-1,-1,0', '279,0,0,0,0,0,0'],
  ...['56,0x10000000,0,0,0,0', '135,0x40000', '175,0,0,0', '176,0,0', '155,0,0', '169,0,0,0,0', '164,0,0', '172,3'],
  ...['304,0,0,0', '308,0,0', '428,0,0,0', '429,0,0,0,0,0', '430,0,0', '442,0,0,0,0,0', '163,0', '167,0,0', '153'],
];
const status = 'busybox grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups|Umask)" /proc/self/status';
const writes = `
  for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/*/release_agent; do
    [ -e $f ] && (echo x >$f) 2>/dev/null && echo "wrote $f"; done
  for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do [ -e $d/cgroup.procs ] && mkdir $d/x 2>/dev/null && echo "made a group in $d"; done
  for f in kcore keys timer_list interrupts; do [ -e /proc/$f ] && head -c 1 /proc/$f 2>/dev/null | grep -q . && echo "read $f"; done
  mount -t tmpfs x /mnt 2>/dev/null && echo mounted
  echo end`;
const keyring = `perl -e '$r=syscall(250,0,-3,1);print $r,"\\n"'`;

try {
  await engine.images.fromHost({ executables: ['perl', 'busybox', 'sh'], reference });
  const sh = (text: string, options: object = {}) =>
    engine
      .run(reference, ['sh', '-c', text], { timeoutMs: 20_000, ...options })
      .then(({ stdout, stderr }) => stdout + stderr);
  const perl = (options: object = {}) =>
    engine.run(reference, ['perl', '-e', errnos(DENIED)], options).then((ran) => ran.stdout);
  const applets = `for a in grep head mkdir mount; do eval "$a() { busybox $a \\"\\$@\\"; }"; done; `;

  /** What the runtime's files hold after a container has tried to write to whatever comes in: both must be equal. */
  async function attackRuntime(): Promise<string> {
    const file = findExecutable(runtime) as string;
    const sum = () => createHash('sha256').update(readFileSync(file)).digest('hex');
    const before = sum();
    const race = 'while :; do for p in /proc/[0-9]*/exe; do (echo x >>$p) 2>/dev/null && echo "wrote $p"; done; done';
    await using attacker = await engine.containers.ephemeral({ image: reference, command: ['sh', '-c', race] });
    for (let n = 0; n < 8; n++) await attacker.exec(['/proc/self/exe', 'init'], { timeoutMs: 5_000 }).catch(() => {});
    let wrote = '';
    for await (const entry of attacker.logs()) wrote += `${entry.data}\n`;
    return before === sum() ? wrote : 'changed';
  }

  const cold = await perl();
  // crun's compiled filter is learned meanwhile; what starts from now on gets it.
  const kept = () =>
    existsSync(`${dir}/root/v1/cache/seccomp`) && readdirSync(`${dir}/root/v1/cache/seccomp`).length > 0;
  for (let tries = 0; tries < 200 && runtime === 'crun' && !kept(); tries++) {
    // A container that lives long enough for its filter to be taken, on a machine that is busy.
    await engine.run(reference, ['busybox', 'sleep', '0.1']);
  }
  const box = await engine.containers.ephemeral({ image: reference, command: ['busybox', 'sleep', '60'] });
  const isCached = (id: string): boolean => {
    const [session] = readdirSync(`${dir}/run/sessions`);
    const text = readFileSync(`${dir}/run/sessions/${session}/c/${id}/config.json`, 'utf8');
    const spec = JSON.parse(text) as { annotations?: object; linux: { seccomp?: object } };
    return 'run.oci.seccomp_bpf_data' in (spec.annotations ?? {}) && spec.linux.seccomp === undefined;
  };
  // Allows what it does not name: never taken from the cache.
  const lax = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }] };
  await engine.run(reference, ['busybox', 'sleep', '1'], { seccomp: lax });
  await using laxBox = await engine.containers.ephemeral({
    image: reference,
    command: ['busybox', 'sleep', '60'],
    seccomp: lax,
  });
  const results = {
    cached: isCached(box.id),
    cachedLax: isCached(laxBox.id),
    cold,
    warm: await perl(),
    exec: (await box.exec(['perl', '-e', errnos(DENIED)])).stdout,
    open: await perl({ seccomp: 'unconfined' }),
    status: await sh(status),
    statusUser: await sh(status, { user: '1000', capAdd: ['NET_ADMIN'] }),
    execStatus: (await box.exec(['sh', '-c', status])).stdout,
    execUser: (await box.exec(['sh', '-c', status], { user: '1000:1000' })).stdout,
    execPrivileged: (await box.exec(['sh', '-c', status], { privileged: true })).stdout,
    after: (await box.exec(['sh', '-c', status])).stdout,
    writes: await sh(applets + writes),
    execWrites: (await box.exec(['sh', '-c', applets + writes])).stdout,
    keyrings: [await sh(keyring, { seccomp: 'unconfined' }), await sh(keyring, { seccomp: 'unconfined' })],
    overwritten: await attackRuntime(),
    fds: (await box.exec(['sh', '-c', 'busybox ls /proc/self/fd'])).stdout,
  };
  await box[Symbol.asyncDispose]();
  console.log(JSON.stringify(results));
} finally {
  await engine.close();
  rmSync(dir, { recursive: true, force: true });
}
