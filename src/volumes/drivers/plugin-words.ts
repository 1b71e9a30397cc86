import { EngineError } from '../../errors/index.js';
import { pluginWords } from './driver-error.js';

/**
 * Whether a plugin's words say for sure that the volume does not exist. What is kept about a volume is given up only
 * then, so the words must be about the volume itself: that a host, a program, a file or a volume group was not found
 * says nothing about it, nor does an HTTP status (plugins answer 500 to everything, and 404 to methods they lack).
 */
export function saysNoSuchVolume(words: string, volume: string): boolean {
  const text = plain(words);
  return sayings(plain(volume)).some((saying) => saying.test(text));
}

/** Words in small letters, each followed by a space. */
function plain(text: string): string {
  return `${text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, ' ')
    .trim()} `;
}

/** From the first word to the last: with other words around, something else may be missing. */
function sayings(name: string): readonly RegExp[] {
  const before = `^(?:error |get |remove |inspect |mount |path |the |docker |${name})*`;
  const named = `(?:with |the |given |name |id |named |called )*${name}`;
  const missing = '(?:was |is |has been |could )?(?:not found |not be found |doesn t exist |does not exist )';
  return [
    `${before}(?:no such |unknown )volume (?:${named})?$`,
    `${before}no volume (?:was )?found (?:${named})?$`,
    `${before}no volume ${named}(?:was |found |exists )*$`,
    `${before}(?:could not |couldn t |cannot |can t |unable to |failed to )find (?:a |the )?volume (?:${named})?$`,
    `${before}volume (?:${named})?${missing}(?:${name})?$`,
    `${before}${name}${missing}$`,
  ].map((saying) => new RegExp(saying));
}

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

/** Whether a refusal to unmount says that nothing is mounted: what was asked for is so already. */
export function saysNotMounted(words: string): boolean {
  return /\b(?:not|isn't|never|already un|is un)\s*(?:currently |been )?mounted\b|\bno such mount\b|\bmount(?:[ -]?point)? (?:\S+ )?not found\b/i.test(
    words,
  );
}

/** Whether a refusal to mount says that this very holder has it mounted. That any other has it is a failure. */
export function saysMountedBySame(words: string, id: string): boolean {
  const text = plain(words);
  return new RegExp(
    `\\balready mounted (?:by |as |for |with |to )(?:this id |the same id |(?:id |mount |holder )*${id} )$`,
  ).test(text);
}
