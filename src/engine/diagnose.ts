import { type DoctorReport, runDoctor, SYSTEM_PROBES } from '../sysinfo/index.js';
import type { CallOptions } from '../util/signals.js';
import type { EngineParts } from './parts.js';

/** The doctor, for this engine's host, settings and directories. */
export function diagnose(parts: EngineParts, call: CallOptions): Promise<DoctorReport> {
  return runDoctor({ facts: parts.facts, config: parts.deps.config, probes: SYSTEM_PROBES }, call);
}
