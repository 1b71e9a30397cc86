/** How one thing that the engine needs stands on this host. @public */
export interface DoctorFinding {
  /** Stable name: `runc`, `cgroup`, `root`… */
  readonly id: string;
  /** `warning`: something works less well or not at all; `error`: containers can't run. */
  readonly level: 'ok' | 'warning' | 'error';
  /** What was looked at. */
  readonly what: string;
  /** What was found. */
  readonly found: string;
  /** What to do; empty when nothing is to be done. */
  readonly remedy: string;
}

/** What `engine.doctor()` found. @public */
export interface DoctorReport {
  /** True when no finding is an error. */
  readonly ok: boolean;
  readonly findings: readonly DoctorFinding[];
}

export function good(id: string, what: string, found: string): DoctorFinding {
  return { id, level: 'ok', what, found, remedy: '' };
}

export function bad(
  level: 'warning' | 'error',
  id: string,
  what: string,
  found: string,
  remedy: string,
): DoctorFinding {
  return { id, level, what, found, remedy };
}
