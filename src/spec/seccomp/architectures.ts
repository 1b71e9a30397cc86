/** One machine architecture as Node, Docker's profiles and libseccomp call it. */
interface Architecture {
  /** Name in `includes.arches` of a profile. */
  readonly profileName: string;
  /** libseccomp's names: the native ABI, then those that the same kernel also runs. */
  readonly abis: readonly string[];
}

// The foreign ABIs must be listed: a filter that knows only the native one kills 32-bit programs, and a profile that
// left them out of its rules but let them run could be passed by with int 0x80.
const ARCHITECTURES = new Map<string, Architecture>([
  ['x64', { profileName: 'amd64', abis: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }],
  ['arm64', { profileName: 'arm64', abis: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'] }],
  ['arm', { profileName: 'arm', abis: ['SCMP_ARCH_ARM'] }],
  ['ia32', { profileName: 'x86', abis: ['SCMP_ARCH_X86'] }],
  ['loong64', { profileName: 'loongarch64', abis: ['SCMP_ARCH_LOONGARCH64'] }],
  ['ppc64', { profileName: 'ppc64le', abis: ['SCMP_ARCH_PPC64LE'] }],
  ['riscv64', { profileName: 'riscv64', abis: ['SCMP_ARCH_RISCV64'] }],
  ['s390x', { profileName: 's390x', abis: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'] }],
]);

/** By Node's name (`process.arch`); one that is not listed gets a filter for its native ABI alone. */
export function seccompArchitecture(architecture: string): Architecture {
  return ARCHITECTURES.get(architecture) ?? { profileName: architecture, abis: [] };
}
