import * as v from 'valibot';
import { quote } from '../../errors/index.js';
import type { HttpAnswer } from '../http/http-client.js';
import { readBody } from '../http/read-body.js';
import type { Secrets } from '../secrets.js';
import { parseJsonObject } from './json-object.js';

/** What a server said about its refusal. */
export interface ErrorAnswer {
  /** Codes of the protocol: `MANIFEST_UNKNOWN`, `DENIED`… */
  readonly codes: readonly string[];
  /** Its words, redacted and cut. */
  readonly answer: string;
  /** The same as the end of a message: empty, or ` (…)`. */
  readonly text: string;
}

const MAX_BODY = 64 * 1024;
const MAX_TEXT = 500;

const errorsSchema = v.object({
  errors: v.pipe(
    v.array(v.object({ code: v.nullish(v.string(), ''), message: v.nullish(v.string(), '') })),
    v.maxLength(100),
  ),
});

/** Reads the body of a refusal as far as it is worth it; what can't be read is empty. Throws the signal's error only. */
export async function readErrorAnswer(
  answer: HttpAnswer,
  limits: { readonly idleTimeoutMs: number; readonly signal: AbortSignal },
  secrets: Secrets,
): Promise<ErrorAnswer> {
  let body: string;
  try {
    body = (await readBody(answer, { ...limits, maxBytes: MAX_BODY, cut: true })).toString('utf8');
  } catch (error) {
    if (limits.signal.aborted) throw error;
    return { codes: [], answer: '', text: '' };
  }
  const parsed = parse(body);
  const codes = parsed.map(({ code }) => code.slice(0, 64));
  const isMarkup = /^\s*</.test(body);
  const words =
    parsed.length > 0
      ? parsed.map(({ code, message }) => `${code}: ${message}`).join('; ')
      : isMarkup
        ? ''
        : body.trim();
  // Redacted while whole: half a secret would not be found.
  const said = secrets.redact(words).slice(0, MAX_TEXT);
  return { codes, answer: said, text: said === '' ? '' : ` (${quote(said, MAX_TEXT)})` };
}

function parse(body: string): { code: string; message: string }[] {
  const result = v.safeParse(errorsSchema, parseJsonObject(body));
  return result.success ? result.output.errors : [];
}
