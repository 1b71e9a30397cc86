/** What a Content-Range header says: bytes `start` to `end`, both included. */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
  /** Size of the whole, unless it says `*`. */
  readonly total: number | undefined;
}

/** Reads `bytes 0-9/100`; `undefined` for anything that can't be true. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes[ \t]+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first = '', last = '', whole = ''] = match;
  const start = Number(first);
  const end = Number(last);
  const total = whole === '*' ? undefined : Number(whole);
  const isSafe = [start, end, total ?? 0].every(Number.isSafeInteger);
  if (!isSafe || end < start || (total !== undefined && end >= total)) return undefined;
  return { start, end, total };
}

/** Bytes that an upload has by its Range header (`0-1023`); `0-0` is what an empty one says too. */
export function parseUploadRange(header: string | undefined): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,16})$/i.exec(header?.trim() ?? '');
  const end = Number(match?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(end)) return undefined;
  return end === 0 ? 0 : end + 1;
}

/** A Content-Length; `undefined` for none or nonsense. */
export function parseLength(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,16}$/.test(header)) return undefined;
  const length = Number(header);
  return Number.isSafeInteger(length) ? length : undefined;
}

/** Milliseconds that a Retry-After header asks for, as seconds or as a date; `undefined` for none or nonsense. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Only the form of HTTP dates: Date.parse takes much that is none.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
