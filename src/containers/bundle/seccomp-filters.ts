import type { RuntimeBinary } from '../../runtime/oci-runtime.js';
import type { OciSeccomp } from '../../spec/oci-types.js';

/** Compiled seccomp filters that a runtime can take instead of compiling the profile at every start. */
export interface SeccompFilters {
  /** The filter for this profile (base64 of BPF), if one was learned. */
  find(binary: RuntimeBinary, seccomp: OciSeccomp): string | undefined;
  /** Takes the filter that the runtime compiled for a container that lives now. Never throws. */
  learn(binary: RuntimeBinary, seccomp: OciSeccomp, runtimeRoot: string, id: string): void;
}
