import type { SeccompProfile } from '../container-options.js';
import type { OciSeccomp, OciSeccompRule } from '../oci-types.js';
import { seccompArchitecture } from './architectures.js';
import { checkSeccompProfile } from './check-profile.js';
import { defaultProfile } from './default-profile.js';
import { kernelAtLeast } from './kernel-version.js';
import type { CheckedProfile, ConditionalRule } from './profile.js';

export interface SeccompFacts {
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
  /** Node's name: `x64`, `arm64`… */
  readonly architecture: string;
  /** As uname tells it. */
  readonly kernelVersion: string;
}

/** Filters of the default profile already made: a pure function's results, few because capability sets are few. */
const MAX_CACHED = 32;
const cache = new Map<string, OciSeccomp>();

/**
 * The filter for one container. `default` gives the same frozen object for the same facts, so that its JSON can be made
 * once; `unconfined` gives `undefined`. A profile object is checked: throws BAD_SECCOMP_PROFILE.
 */
export function resolveSeccomp(
  profile: 'default' | 'unconfined' | SeccompProfile,
  facts: SeccompFacts,
): OciSeccomp | undefined {
  if (profile === 'unconfined') return undefined;
  if (profile !== 'default') return applyProfile(checkSeccompProfile(profile), facts);
  const key = `${facts.architecture} ${facts.kernelVersion} ${[...facts.capabilities].sort().join()}`;
  let filter = cache.get(key);
  if (filter === undefined) {
    const abis = seccompArchitecture(facts.architecture).abis;
    filter = deepFreeze(applyProfile({ ...defaultProfile(), architectures: abis }, facts));
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(key, filter);
  }
  return filter;
}

function applyProfile(profile: CheckedProfile, facts: SeccompFacts): OciSeccomp {
  const { abis, profileName } = seccompArchitecture(facts.architecture);
  const mapped = profile.archMap?.find((entry) => entry.architecture === abis[0]);
  const architectures = mapped ? [mapped.architecture, ...mapped.subArchitectures] : (profile.architectures ?? []);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures: [...architectures] }),
    ...(profile.flags === undefined || profile.flags.length === 0 ? {} : { flags: [...profile.flags] }),
    syscalls: profile.rules.filter((rule) => applies(rule, profileName, facts)).map(withoutConditions),
  };
}

function applies({ includes, excludes }: ConditionalRule, architecture: string, facts: SeccompFacts): boolean {
  const has = (capability: string) => facts.capabilities.includes(capability);
  if (excludes?.arches?.includes(architecture)) return false;
  if (excludes?.caps?.some(has)) return false;
  if (excludes?.minKernel !== undefined && kernelAtLeast(facts.kernelVersion, excludes.minKernel)) return false;
  if (includes?.arches?.length && !includes.arches.includes(architecture)) return false;
  if (includes?.caps !== undefined && !includes.caps.every(has)) return false;
  return includes?.minKernel === undefined || kernelAtLeast(facts.kernelVersion, includes.minKernel);
}

function withoutConditions({ includes: _includes, excludes: _excludes, ...rule }: ConditionalRule): OciSeccompRule {
  return rule;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
