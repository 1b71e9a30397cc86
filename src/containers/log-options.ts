import { badField, checkBoolean, integer } from '../spec/index.js';
import { assertKnownOptions, type KnownOptions } from '../util/known-options.js';

/** Which part of a container's output. @public */
export interface LogOptions {
  /** Go on with new output until the container ends. @defaultValue false */
  readonly follow?: boolean;
  /** Only the last so many lines of what the other options select; 0: only what comes. @defaultValue all */
  readonly tail?: number;
  /** Only lines written then or later. */
  readonly since?: Date;
  /** Only lines written then or earlier; a later one ends the loop. */
  readonly until?: Date;
  /** Lines of stdout. @defaultValue true */
  readonly stdout?: boolean;
  /** Lines of stderr. @defaultValue true */
  readonly stderr?: boolean;
  /** Ends the loop with CANCELED or TIMED_OUT. */
  readonly signal?: AbortSignal;
}

const KNOWN: KnownOptions<LogOptions> = {
  follow: true,
  tail: true,
  since: true,
  until: true,
  stdout: true,
  stderr: true,
  signal: true,
};

const checkTail = integer(0, Number.MAX_SAFE_INTEGER);

/** Throws BAD_LIMIT, BAD_OPTION, UNKNOWN_OPTION. */
export function checkLogOptions(options: LogOptions): void {
  assertKnownOptions(options, KNOWN);
  const { tail, since, until, follow, stdout, stderr } = options;
  if (tail !== undefined) checkTail('tail', tail);
  for (const [field, date] of Object.entries({ since, until })) {
    if (date !== undefined && !(date instanceof Date && Number.isFinite(date.getTime()))) {
      throw badField('BAD_OPTION', field, date, 'is not a valid Date');
    }
  }
  for (const [field, flag] of Object.entries({ follow, stdout, stderr })) {
    if (flag !== undefined) checkBoolean(field, flag);
  }
}
