import type { DoctorReport } from '../sysinfo/index.js';
import type { CallOptions } from '../util/signals.js';
import type { EngineParts } from './parts.js';

/** The doctor, for this engine's host, settings and directories; loaded when it is called. */
export async function diagnose(parts: EngineParts, call: CallOptions): Promise<DoctorReport> {
  const { runDoctor } = await import('../sysinfo/run-doctor.js');
  return runDoctor({ facts: parts.facts, config: parts.deps.config }, call);
}
