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
  /** True when no finding is an error: containers can run. */
  readonly ok: boolean;
  /** Everything that was looked at. */
  readonly findings: readonly DoctorFinding[];
  /** For people: a line for each warning and error with its remedy, and a verdict. */
  readonly summary: string;
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
