import type { ResolvedConfig } from '../config/index.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { directoryFindings } from './doctor-directories.js';
import { kernelFindings } from './doctor-kernel.js';
import { programFindings } from './doctor-programs.js';
import { bad, type DoctorFinding, type DoctorReport, good } from './doctor-types.js';
import type { HostFacts } from './host-facts.js';
import { type ProgramProbes, SYSTEM_PROBES } from './probe-program.js';

export interface DoctorDeps {
  readonly facts: HostFacts;
  readonly config: ResolvedConfig;
  /** @defaultValue the programs of this system */
  readonly probes?: ProgramProbes;
}

/**
 * Looks over everything the engine needs on this host and says what to do about each lack. Changes nothing: what it
 * tries out in root and run dir is gone when it returns. Throws only when the signal aborts.
 */
export async function runDoctor(deps: DoctorDeps, call: CallOptions = {}): Promise<DoctorReport> {
  const { facts, config, probes = SYSTEM_PROBES } = deps;
  throwIfAborted(call.signal);
  const findings = [
    ...kernelFindings(facts, config),
    ...(await programFindings({ facts, config, probes }, call)),
    ...directoryFindings(facts, config),
    ...configFindings(config),
  ];
  return { ok: findings.every((finding) => finding.level !== 'error'), findings, summary: summarizeFindings(findings) };
}

function summarizeFindings(findings: readonly DoctorFinding[]): string {
  const count = (level: DoctorFinding['level']): number => findings.filter((finding) => finding.level === level).length;
  const lines = findings
    .filter((finding) => finding.level !== 'ok')
    .sort((a, b) => (a.level < b.level ? -1 : a.level > b.level ? 1 : 0))
    .map(({ level, what, found, remedy }) => `${level}: ${what}: ${found}: ${remedy}`);
  const verdict = count('error') === 0 ? 'containers can run here' : 'containers can not run here';
  return [...lines, `${verdict}: ${count('error')} errors, ${count('warning')} warnings, ${count('ok')} fine`].join(
    '\n',
  );
}

function configFindings(config: ResolvedConfig): DoctorFinding[] {
  const findings = config.warnings.map((warning) =>
    bad('warning', 'config', 'configuration file', warning, 'remove what has no effect'),
  );
  if (config.idMaps !== undefined) {
    const count = (ranges: readonly { size: number }[]) => ranges.reduce((sum, range) => sum + range.size, 0);
    const found = `${count(config.idMaps.uids)} uids and ${count(config.idMaps.gids)} gids; not used yet`;
    findings.push(good('id-maps', 'subordinate ids', found));
  }
  return findings;
}
