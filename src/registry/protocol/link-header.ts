const MAX_HEADER = 16 * 1024;
const LINK = /\s*<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^";,\s]*))?)*)\s*(?:,|$)/y;
const PARAM = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^";,\s]*)))?/g;

/** Target of the first link of a Link header (RFC 8288) whose rel is `next`; nothing for a header that makes no sense. */
export function nextLink(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_HEADER) return undefined;
  LINK.lastIndex = 0;
  for (let match = LINK.exec(header); match !== null; match = LINK.exec(header)) {
    const [, target = '', params = ''] = match;
    for (const [, name = '', quoted, plain = ''] of params.matchAll(PARAM)) {
      if (name.toLowerCase() !== 'rel') continue;
      // The first rel of a link counts.
      if ((quoted ?? plain).toLowerCase().split(/\s+/).includes('next')) return target;
      break;
    }
    if (LINK.lastIndex >= header.length) return undefined;
  }
  return undefined;
}
