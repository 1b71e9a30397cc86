import { type EngineError, engineError, quote } from '../errors/index.js';
import { byteStringToText } from './byte-string.js';

/** An archive that breaks its format; `offset` is where the block of the bad entry starts. */
export function badArchive(problem: string, at: { offset: number; path?: string }, cause?: unknown): EngineError {
  const entry = at.path === undefined ? undefined : byteStringToText(at.path);
  const where = entry === undefined ? '' : `entry ${quote(entry)} `;
  return engineError('BAD_ARCHIVE', `tar archive: ${where}at offset ${at.offset} ${problem}`, {
    details: { offset: at.offset, ...(entry === undefined ? {} : { entry }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** An entry that a layer may not have. */
export function badLayer(path: string, problem: string, cause?: unknown): EngineError {
  const entry = byteStringToText(path);
  return engineError('BAD_LAYER', `layer entry ${quote(entry)} ${problem}`, {
    details: { entry },
    ...(cause === undefined ? {} : { cause }),
  });
}
