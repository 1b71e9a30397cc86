import { engineError, quote } from '../errors/index.js';
import type { Platform } from './types.js';

const PART = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

const ARCHITECTURES = new Map<string, readonly [architecture: string, variant?: string]>([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['x64', ['amd64']],
  ['i386', ['386']],
  ['ia32', ['386']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['loong64', ['loong64']],
  ['mipsel', ['mipsle']],
]);

const KNOWN = new Set(['amd64', '386', 'arm', 'arm64', 'ppc64le', 's390x', 'riscv64', 'loong64', 'mips64le']);

/** Brings the many spellings of architectures and variants to the OCI ones: `x86_64` is `amd64`, `arm64/v8` is `arm64`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const named = platform.architecture.toLowerCase();
  const [architecture, impliedVariant] = ARCHITECTURES.get(named) ?? [named];
  let variant = (platform.variant ?? '').toLowerCase() || (impliedVariant ?? '');
  if (/^\d+$/.test(variant)) variant = `v${variant}`;
  if (architecture === 'arm64' && variant === 'v8') variant = '';
  if (architecture === 'amd64' && variant === 'v1') variant = '';
  if (architecture === 'arm' && variant === '') variant = 'v7';
  return variant === '' ? { os, architecture } : { os, architecture, variant };
}

/** Parses `os/architecture[/variant]`, or one of them alone (`arm64`, `linux`); the rest is the host's. Throws BAD_OPTION. */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = typeof text === 'string' ? text.split('/') : [];
  if (parts.length === 0 || parts.length > 3 || !parts.every((part) => PART.test(part))) throw badPlatform(text);
  const [first = '', second, third] = parts;
  if (second !== undefined) {
    return normalizePlatform({ os: first, architecture: second, ...(third === undefined ? {} : { variant: third }) });
  }
  const lower = first.toLowerCase();
  if (lower === 'linux') return host;
  const asArchitecture = normalizePlatform({ os: host.os, architecture: lower });
  if (!KNOWN.has(asArchitecture.architecture)) throw badPlatform(text);
  return asArchitecture;
}

function badPlatform(text: unknown): Error {
  return engineError('BAD_OPTION', `platform ${quote(text)} is not of the form os/architecture[/variant]`, {
    details: { field: 'platform', value: quote(text) },
  });
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platform of this process. */
export function hostPlatform(): Platform {
  const arch = process.arch as string;
  if (arch === 'arm') {
    const version = (process.config.variables as Record<string, unknown>)['arm_version'];
    return normalizePlatform({ os: 'linux', architecture: 'arm', variant: String(version ?? '7') });
  }
  return normalizePlatform({ os: 'linux', architecture: arch === 'ppc64' ? 'ppc64le' : arch });
}

/**
 * How well something for `candidate` runs where `wanted` was asked for: 0 not at all, higher is better.
 * A lower variant of the same architecture is fine. With `compatible`, so is the older 32-bit architecture that the
 * machine runs too (386 on amd64, arm on arm64), as Docker and containerd do it when nobody named a platform.
 */
export function platformRank(wanted: Platform, candidate: Platform, compatible = false): number {
  const want = normalizePlatform(wanted);
  const have = normalizePlatform(candidate);
  if (want.os !== have.os) return 0;
  if (want.architecture === have.architecture) {
    const wantLevel = variantLevel(want);
    const haveLevel = variantLevel(have);
    if (wantLevel === undefined || haveLevel === undefined) return want.variant === have.variant ? 100 : 0;
    return haveLevel > wantLevel ? 0 : 100 - (wantLevel - haveLevel);
  }
  if (!compatible) return 0;
  if (want.architecture === 'amd64' && have.architecture === '386') return 10;
  if (want.architecture === 'arm64' && have.architecture === 'arm') return variantLevel(have) ?? 1;
  return 0;
}

/** Variants of one architecture are ordered by number; no variant means the base level. `undefined`: not a number. */
function variantLevel(platform: Platform): number | undefined {
  if (platform.variant === undefined) return platform.architecture === 'arm64' ? 8 : 1;
  const match = /^v(\d{1,2})(?:\.(\d{1,2}))?$/.exec(platform.variant);
  if (match === null) return undefined;
  return Number(match[1]) + Number(match[2] ?? 0) / 100;
}

/** The best of `candidates`, the first among equals; `undefined` when none fits. Those without a platform come last. */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  candidates: readonly T[],
  wanted: Platform,
  compatible = false,
): T | undefined {
  let best: T | undefined;
  let bestRank = 0;
  for (const candidate of candidates) {
    const rank = candidate.platform === undefined ? 0.5 : platformRank(wanted, candidate.platform, compatible);
    if (rank > bestRank) {
      best = candidate;
      bestRank = rank;
    }
  }
  return best;
}
