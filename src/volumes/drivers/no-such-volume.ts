import { EngineError } from '../../errors/index.js';
import { pluginWords } from './driver-error.js';

/**
 * Whether a plugin's words say for sure that the volume does not exist. What is kept about a volume is given up only
 * then, so the words must be about the volume itself: that a host, a program, a file or a volume group was not found
 * says nothing about it, nor does an HTTP status (plugins answer 500 to everything, and 404 to methods they lack).
 */
export function saysNoSuchVolume(words: string, volume: string): boolean {
  const name = volume.toLowerCase().replaceAll(/[.-]/g, '\\$&');
  const text = words.toLowerCase();
  // Both: a volume may have a name that is a word of the saying.
  return [text, text.replaceAll(new RegExp(`(?<![\\w-])${name}(?![\\w-])`, 'g'), ' <v> ')].some((text) => {
    const plain = ` ${text} `.replaceAll(/["'`’“”‘[\](){},.:;!=]/g, ' ').replaceAll(/\s+/g, ' ');
    return SAYINGS.some((saying) => saying.test(plain));
  });
}

const MISSING = '(?:was |is |has been |could )?(?:not found|not be found|unknown|doesn ?t exist|does not exist)';
const SAYINGS: readonly RegExp[] = [
  /\bno such volume\b/,
  /\bunknown volume (?:<v> )?$/,
  /\bno (?:docker )?volume (?:was )?(?:found )?(?:with (?:the )?(?:given )?name|named|called) /,
  /\b(?:could not|couldn t|cannot|can t|unable to|failed to) find (?:the |a )?volume (?:<v>|with|named|called)/,
  // Only the name may stand between: in `volume group vg0 not found` something else is missing.
  new RegExp(`\\bvolume (?:with (?:the )?(?:given )?name |named |called |name )?(?:<v> )?${MISSING}\\b`),
  new RegExp(`^(?: error| get| remove| inspect)* <v> ${MISSING} $`),
  /^ (?:error )?not found $/,
];

const EXISTS = /\balready exists?\b|\bexists already\b|\bname (?:is )?(?:already )?(?:in use|taken)\b|\bduplicate\b/i;

/** The words of a plugin that refused, from an error of `VolumeDriver` calls; undefined for other errors. */
export function refusalWords(error: unknown): string | undefined {
  if (!EngineError.is(error) || !REFUSALS.has(error.reason)) return undefined;
  return pluginWords(error);
}

const REFUSALS = new Set(['PLUGIN_CALL_FAILED', 'DRIVER_FAILED']);

/** Whether a refusal to create says that the volume is there already. */
export function saysExists(words: string): boolean {
  return EXISTS.test(words);
}
