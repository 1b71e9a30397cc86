export { type CliRuntimeDeps, createCliRuntime, runtimeError } from './cli/index.js';
export type {
  ExecRequest,
  OciRuntime,
  RunRequest,
  RuntimeBinary,
  RuntimeState,
  RuntimeStatus,
  RuntimeStdio,
  Spawner,
} from './oci-runtime.js';
export { compareVersions, MINIMUM_VERSIONS, type ProbeOptions, probeRuntime } from './probe.js';
export { type SealedBinary, sealRuntime } from './sealed-binary.js';
export { isFilter, SeccompFilterStore } from './seccomp-filter-store.js';
export {
  chooseSupervisor,
  createConmonSupervisor,
  createShimSupervisor,
  type FoundSupervisors,
} from './supervise/index.js';
export type { ExitRecord, SupervisedTask, SuperviseRequest, Supervisor } from './supervisor.js';
