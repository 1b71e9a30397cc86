import type { CheckedProfile, ConditionalRule, SeccompCondition } from './profile.js';
import { plainSyscalls } from './syscalls.js';

const ALLOW = 'SCMP_ACT_ALLOW';
const EPERM = 1;
const ENOSYS = 38;
const AF_ALG = 38;
const AF_VSOCK = 40;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NEW_NAMESPACES = 0x7e020000;

/** personality(2) values that only choose an execution domain: Linux, its uname 2.6 and 32-bit forms, and "ask". */
const HARMLESS_PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** Calls that come with a capability, so that adding one to a container makes it usable. */
const BY_CAPABILITY: readonly (readonly [capability: string, names: string])[] = [
  ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
  [
    'CAP_SYS_ADMIN',
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
     lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
     sethostname setns syslog umount umount2 unshare`,
  ],
  ['CAP_SYS_BOOT', 'reboot'],
  ['CAP_SYS_CHROOT', 'chroot'],
  ['CAP_SYS_MODULE', 'delete_module finit_module init_module'],
  ['CAP_SYS_PACCT', 'acct'],
  ['CAP_SYS_PTRACE', 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'],
  ['CAP_SYS_RAWIO', 'ioperm iopl'],
  ['CAP_SYS_TIME', 'clock_settime clock_settime64 settimeofday stime'],
  ['CAP_SYS_TTY_CONFIG', 'vhangup'],
  ['CAP_SYS_NICE', 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node'],
  ['CAP_SYSLOG', 'syslog'],
  ['CAP_BPF', 'bpf'],
  ['CAP_PERFMON', 'perf_event_open'],
];

const BY_ARCHITECTURE: readonly (readonly [arches: readonly string[], names: string])[] = [
  [['ppc64le'], 'swapcontext sync_file_range2'],
  [['arm', 'arm64'], 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'],
  [['amd64', 'x32'], 'arch_prctl'],
  [['amd64', 'x32', 'x86'], 'modify_ldt'],
  [['s390', 's390x'], 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr'],
  [['riscv64'], 'riscv_flush_icache'],
];

/**
 * The default profile: what is not listed fails with EPERM. It allows what Docker's does (as of May 2026) and nothing else.
 *
 * socket(AF_ALG) and socket(AF_VSOCK) are denied by three allow rules around them: two conditions on one argument within
 * one rule would be joined by "or". The 32-bit socketcall(2) hides its arguments from any filter and stays allowed, as in
 * Docker's profile, because 32-bit C libraries make all their sockets with it.
 */
export function defaultProfile(): CheckedProfile {
  const rules: ConditionalRule[] = [
    allow(plainSyscalls()),
    // Before 4.8 a tracer could change a call after the filter had seen it.
    allow(words('process_vm_readv process_vm_writev ptrace'), { includes: { minKernel: '4.8' } }),
    allowArgument('socket', 'SCMP_CMP_LT', AF_ALG),
    allowArgument('socket', 'SCMP_CMP_EQ', AF_ALG + 1),
    allowArgument('socket', 'SCMP_CMP_GT', AF_VSOCK),
    ...HARMLESS_PERSONALITIES.map((value) => allowArgument('personality', 'SCMP_CMP_EQ', value)),
    ...BY_ARCHITECTURE.map(([arches, names]) => allow(words(names), { includes: { arches } })),
    ...BY_CAPABILITY.map(([capability, names]) => allow(words(names), { includes: { caps: [capability] } })),
    ...cloneRules(),
  ];
  return { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: EPERM, rules };
}

/** Threads and processes yes, new namespaces no. clone3 keeps its flags in memory: ENOSYS makes C libraries use clone. */
function cloneRules(): ConditionalRule[] {
  const withoutAdmin = { caps: ['CAP_SYS_ADMIN'] };
  const s390 = ['s390', 's390x'];
  const noNamespaces = (index: number) => [{ index, value: NEW_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }];
  return [
    { ...allow(['clone']), args: noNamespaces(0), excludes: { ...withoutAdmin, arches: s390 } },
    { ...allow(['clone']), args: noNamespaces(1), includes: { arches: s390 }, excludes: withoutAdmin },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: withoutAdmin },
  ];
}

function allow(names: string[], when: { includes?: SeccompCondition } = {}): ConditionalRule {
  return { names, action: ALLOW, ...when };
}

function allowArgument(name: string, op: string, value: number): ConditionalRule {
  return { names: [name], action: ALLOW, args: [{ index: 0, value, op }] };
}

function words(text: string): string[] {
  return text.split(/\s+/);
}
