import * as zlib from 'node:zlib';
import type { ResolvedConfig } from '../config/index.js';
import type { CallOptions } from '../util/signals.js';
import { bad, type DoctorFinding, good } from './doctor-types.js';
import { crunObstacle, type HostFacts } from './host-facts.js';
import type { ProgramFacts, ProgramProbes } from './probe-program.js';
import { versionGate } from './versions.js';

type ProgramConfig = Pick<ResolvedConfig, 'defaultRuntime' | 'runtimes' | 'supervisor' | 'initPath'>;

/** Oldest versions that the adapters know how to drive. */
export const OLDEST = { runc: '1.0.0', crun: '1.0.0', conmon: '2.0.20', shim: '1.4.0' } as const;

interface Deps {
  readonly facts: HostFacts;
  readonly config: ProgramConfig;
  readonly probes: ProgramProbes;
}

/** Which programs are there, which versions, and whether they can run on this host. Probes run side by side. */
export async function programFindings(deps: Deps, call: CallOptions = {}): Promise<DoctorFinding[]> {
  const [runtimes, supervisors, helpers] = await Promise.all([
    runtimeFindings(deps, call),
    supervisorFindings(deps, call),
    helperFindings(deps, call),
  ]);
  return [...runtimes, ...supervisors, ...helpers];
}

async function runtimeFindings({ facts, config, probes }: Deps, call: CallOptions): Promise<DoctorFinding[]> {
  const names = [...new Set(['runc', 'crun', ...Object.keys(config.runtimes)])];
  const findings = await Promise.all(
    names.map(async (name) => {
      const path = config.runtimes[name]?.path ?? name;
      const program = await probes.probe(path, ['--version'], call);
      const oldest = name === 'runc' || name === 'crun' ? OLDEST[name] : '0.0.0';
      const obstacle = name === 'crun' ? crunObstacle(facts) : undefined;
      return programFinding(`runtime-${name}`, `OCI runtime ${path}`, program, oldest, obstacle);
    }),
  );
  const usable = names.filter((_, i) => findings[i]?.level === 'ok');
  return [...findings, defaultRuntimeFinding(config.defaultRuntime, usable)];
}

function defaultRuntimeFinding(wanted: string, usable: readonly string[]): DoctorFinding {
  const what = `default runtime (${wanted})`;
  const chosen = wanted === 'auto' ? ['crun', 'runc'].find((name) => usable.includes(name)) : wanted;
  if (chosen !== undefined && usable.includes(chosen)) return good('default-runtime', what, chosen);
  const others = usable.length > 0 ? `, or use ${usable.join(' or ')}` : '';
  return bad('error', 'default-runtime', what, 'can not run here', `install ${chosen ?? 'runc or crun'}${others}`);
}

async function supervisorFindings({ config, probes }: Deps, call: CallOptions): Promise<DoctorFinding[]> {
  const [conmon, shim] = await Promise.all([
    probes.probe('conmon', ['--version'], call),
    probes.probe('containerd-shim-runc-v2', ['-v'], call),
  ]);
  const findings = [
    programFinding('supervisor-conmon', 'supervisor conmon', conmon, OLDEST.conmon),
    programFinding('supervisor-shim', 'supervisor containerd-shim-runc-v2', shim, OLDEST.shim),
  ];
  const usable = ['conmon', 'shim'].filter((_, i) => findings[i]?.level === 'ok');
  const what = `supervisor of durable containers (${config.supervisor})`;
  const chosen = config.supervisor === 'auto' ? usable[0] : usable.find((name) => name === config.supervisor);
  if (chosen !== undefined) return [...findings, good('supervisor', what, chosen)];
  const level = config.supervisor === 'auto' ? 'warning' : 'error';
  const remedy = 'install conmon or containerd; without one only throwaway containers run';
  return [...findings, bad(level, 'supervisor', what, 'none that can run', remedy)];
}

async function helperFindings({ config, probes }: Deps, call: CallOptions): Promise<DoctorFinding[]> {
  const [perl, init] = await Promise.all([
    probes.probe('perl', ['-e', 'printf "%vd\\n", $^V'], call),
    config.initPath === undefined ? undefined : probes.probe(config.initPath, ['--version'], call),
  ]);
  const findings = [
    perl === undefined
      ? bad('error', 'perl', 'perl', 'not installed', 'install perl-base: it runs what cleans up after a dead host')
      : programFinding('perl', 'perl', perl, '5.10.0'),
    'createZstdDecompress' in zlib
      ? good('zstd', 'zstd', `built into Node ${process.version}`)
      : programFinding('zstd', 'zstd', await probes.probe('zstd', ['--version'], call), '1.0.0'),
  ];
  if (config.initPath !== undefined) {
    findings.push(
      init === undefined
        ? bad('error', 'init', `init program ${config.initPath}`, 'missing', 'correct the option initPath')
        : good('init', `init program ${config.initPath}`, init.version ?? 'present'),
    );
  }
  return findings;
}

/** One program: missing, silent, too old, unfit for the host, or good. A missing one is a warning: others may serve. */
function programFinding(
  id: string,
  what: string,
  program: ProgramFacts | undefined,
  oldest: string,
  obstacle?: string,
): DoctorFinding {
  if (program === undefined) return bad('warning', id, what, 'not installed', 'install it, or go without');
  if (program.version === undefined) {
    return bad('warning', id, what, `${program.path}: ${program.problem ?? 'no version'}`, 'install it anew');
  }
  const found = `${program.version} (${program.path})`;
  if (!versionGate(program.version, oldest)) return bad('warning', id, what, found, `install ${oldest} or newer`);
  if (obstacle !== undefined) {
    return bad('warning', id, what, `${found}; ${obstacle}`, 'boot with pure cgroup v2 or v1, or use runc');
  }
  return good(id, what, found);
}
