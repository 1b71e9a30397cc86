import { badField, checkBoolean, integer } from '../spec/index.js';

/** Which part of a container's output. @public */
export interface LogOptions {
  /** Go on with new output until the container ends. @defaultValue false */
  readonly follow?: boolean;
  /** Only the last n lines of what is there. */
  readonly tail?: number;
  readonly since?: Date;
  readonly until?: Date;
  /** @defaultValue true */
  readonly stdout?: boolean;
  /** @defaultValue true */
  readonly stderr?: boolean;
  readonly signal?: AbortSignal;
}

const checkTail = integer(0, Number.MAX_SAFE_INTEGER);

/** Throws BAD_LIMIT or BAD_OPTION. */
export function checkLogOptions({ tail, since, until, follow, stdout, stderr }: LogOptions): void {
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
