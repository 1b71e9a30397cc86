import { type EngineError, engineError, quote, type Reason } from '../errors/index.js';

/** The typed error of one bad field: `field mounts[0].target "x" is not absolute`. */
export function badField(reason: Reason, field: string, value: unknown, why: string, cause?: unknown): EngineError {
  const shown = quote(value);
  return engineError(reason, `field ${field} ${shown} ${why}`, {
    details: { field, value: shown },
    ...(cause === undefined ? {} : { cause }),
  });
}
