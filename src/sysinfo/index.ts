export { OLDEST } from './doctor-programs.js';
export type { DoctorFinding, DoctorReport } from './doctor-types.js';
export { crunObstacle, type HostFacts, probeHost } from './host-facts.js';
export { type ProgramFacts, type ProgramProbes, SYSTEM_PROBES } from './probe-program.js';
export { type DoctorDeps, runDoctor } from './run-doctor.js';
export { parseVersion, versionGate } from './versions.js';
