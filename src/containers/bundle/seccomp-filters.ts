/** Compiled seccomp filters that a runtime can take instead of compiling the profile at every start. */
export interface SeccompFilters {
  /** The filter for this profile (base64 of BPF), if one was learned. */
  find(runtimeName: string, seccompJson: string): string | undefined;
  /** Takes the filter that the runtime compiled for a container that lives now. Never throws. */
  learn(runtimeName: string, seccompJson: string, runtimeRoot: string, id: string): void;
}
