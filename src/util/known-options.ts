import { engineError, quote } from '../errors/index.js';
import { closestName } from './closest-name.js';

/** The names of an options type, each once: the compiler sees to it that none is missing. */
export type KnownOptions<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses options that don't exist, with the nearest one that does: a mistyped filter would otherwise select
 * everything. Throws BAD_OPTION for what is no object, or a signal that is no AbortSignal; UNKNOWN_OPTION.
 */
export function assertKnownOptions<T extends object>(options: T, known: KnownOptions<Required<T>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw engineError('BAD_OPTION', `options ${quote(options)} is not an object`, { details: { field: 'options' } });
  }
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(known, key)) continue;
    const nearest = closestName(key, Object.keys(known));
    const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
    throw engineError('UNKNOWN_OPTION', `field ${quote(key, 64)} does not exist${hint}`, {
      details: { field: key.slice(0, 64), ...(nearest !== undefined && { nearest }) },
    });
  }
  const { signal } = options as { readonly signal?: unknown };
  if (signal !== undefined && !(signal instanceof EventTarget && 'aborted' in signal)) {
    throw engineError('BAD_OPTION', `field signal ${quote(signal)} is not an AbortSignal`, {
      details: { field: 'signal', value: quote(signal) },
    });
  }
}
