import { SAFE_NAME } from '../util/ids.js';
import { badField } from './fail.js';

/** One entry of `volumesFrom`. */
export interface VolumesFrom {
  /** Id, unique id prefix or name of the other container. */
  readonly container: string;
  /** All of it is read-only here, whatever it is there. */
  readonly readOnly: boolean;
}

/** Words that Docker takes here; labels have no effect, and nothing else can be changed. */
const MODES = new Set(['ro', 'rw', 'z', 'Z']);

/** Parses `<container>[:ro|rw]`. Throws BAD_VOLUMES_FROM. */
export function parseVolumesFrom(field: string, text: unknown): VolumesFrom {
  const bad = (why: string) => badField('BAD_VOLUMES_FROM', field, text, why);
  if (typeof text !== 'string') throw bad('is not a string');
  const colon = text.indexOf(':');
  const container = colon < 0 ? text : text.slice(0, colon);
  if (!SAFE_NAME.test(container)) throw bad('names no container');
  const words = colon < 0 ? [] : text.slice(colon + 1).split(',');
  const unknown = words.find((word) => !MODES.has(word));
  if (unknown !== undefined) throw bad(`has the option "${unknown}"; ro and rw exist`);
  if (
    new Set(words.map((word) => word.toLowerCase())).size < words.length ||
    (words.includes('ro') && words.includes('rw'))
  ) {
    throw bad('has options that contradict or repeat each other');
  }
  return { container, readOnly: words.includes('ro') };
}
