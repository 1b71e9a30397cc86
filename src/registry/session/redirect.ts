import { engineError, quote } from '../../errors/index.js';
import type { InsecureRegistries } from '../http/insecure-registries.js';
import { badAnswer } from '../http/transport-error.js';
import { safeUrl } from '../secrets.js';

/**
 * The place that a Location header names: where a blob is, or where an upload goes on. Only http and https, never with a
 * user in it, never from https to http, and plain http on another host only where that host is listed as insecure.
 * Throws REGISTRY_BAD_REDIRECT, REGISTRY_BAD_ANSWER without one.
 */
export function checkLocation(from: URL, location: string | undefined, insecure: InsecureRegistries): URL {
  if (location === undefined || location === '') throw badAnswer(from, 'names no Location');
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to === undefined) throw refused(from, 'to something that is no URL');
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refused(from, `to ${quote(to.protocol)}`);
  const target = quote(safeUrl(to));
  if (to.username !== '' || to.password !== '') throw refused(from, `to ${target} with a user in the URL`);
  to.hash = '';
  if (to.protocol === 'https:' || to.origin === from.origin) return to;
  const security = insecure.of(to.host);
  const isAllowed = security === 'insecure' || (from.protocol === 'http:' && security === 'loopback');
  if (!isAllowed) throw refused(from, `to ${target}, which is plain http`);
  return to;
}

function refused(from: URL, what: string): Error {
  return engineError('REGISTRY_BAD_REDIRECT', `${quote(safeUrl(from))} redirects ${what}`, {
    details: { url: safeUrl(from), registry: from.host },
  });
}
