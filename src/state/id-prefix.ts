import { engineError, quote } from '../errors/index.js';

/**
 * The id that `text` means: the id itself, or the only one that starts with it; `undefined` when none does.
 * Throws AMBIGUOUS_ID (details.matches: up to ten, sorted) when several do. `what` names the kind in the message.
 */
export function resolveIdPrefix(ids: Iterable<string>, text: string, what: string): string | undefined {
  if (text === '') return undefined;
  const matches: string[] = [];
  for (const id of ids) {
    if (id === text) return id;
    if (id.startsWith(text)) matches.push(id);
  }
  if (matches.length <= 1) return matches[0];
  throw engineError('AMBIGUOUS_ID', `${what} id ${quote(text)} fits ${matches.length} ids`, {
    details: { what, value: text, count: matches.length, matches: matches.sort().slice(0, 10) },
  });
}
