import type { OciSeccompRule } from '../oci-types.js';

/** When a rule applies. Capabilities: all named; architectures: one of the named; kernel: this version or newer. */
export interface SeccompCondition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

export interface ConditionalRule extends OciSeccompRule {
  readonly includes?: SeccompCondition;
  /** The rule is left out when any of these holds. */
  readonly excludes?: SeccompCondition;
}

/** A checked profile: Docker's format, of which the OCI runtime-spec's is the part without conditions. */
export interface CheckedProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly flags?: readonly string[];
  readonly rules: readonly ConditionalRule[];
}
