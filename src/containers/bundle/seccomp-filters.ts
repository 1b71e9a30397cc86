import type { OciRuntime } from '../../runtime/oci-runtime.js';
import type { OciSeccomp } from '../../spec/oci-types.js';

/** The annotation by which crun takes a compiled filter in place of a profile. */
export const FILTER_ANNOTATION = 'run.oci.seccomp_bpf_data';

/** Compiled seccomp filters that a runtime can take instead of compiling the profile at every start. */
export interface SeccompFilters {
  /** The filter for this profile (base64 of BPF), if one is known that was seen in force. */
  find(runtime: OciRuntime, seccomp: OciSeccomp): string | undefined;
  /** Tries to get the filter that the runtime compiles for the container that it is starting now. Never throws. */
  learn(runtime: OciRuntime, seccomp: OciSeccomp, id: string, ended: Promise<unknown>): void;
}
