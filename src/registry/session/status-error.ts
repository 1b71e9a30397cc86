import type { Reason } from '../../errors/index.js';
import { type EngineError, engineError, quote } from '../../errors/index.js';
import type { HttpAnswer } from '../http/http-client.js';
import { type ErrorAnswer, readErrorAnswer } from '../protocol/error-answer.js';
import { parseRetryAfter } from '../protocol/ranges.js';
import { type Secrets, safeUrl } from '../secrets.js';

/** What a request was about, for messages and details. */
export interface Subject {
  /** `manifest`, `blob`, `upload`, `tags`, `referrers`, `registry`. */
  readonly kind: string;
  /** `docker.io/library/alpine:3`. */
  readonly name: string;
}

/** Turns a status that the caller did not expect into the error it means; reads the answer's body. */
export async function statusError(
  answer: HttpAnswer,
  subject: Subject,
  limits: { readonly idleTimeoutMs: number; readonly signal: AbortSignal },
  secrets: Secrets,
): Promise<EngineError> {
  const { status } = answer;
  const says = await readErrorAnswer(answer, limits, secrets);
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now());
  return engineError(
    reasonOf(status, says),
    `registry answered ${status} for ${subject.kind} ${quote(subject.name)}${says.text}`,
    {
      details: {
        kind: subject.kind,
        name: subject.name,
        url: safeUrl(answer.url),
        registry: answer.url.host,
        status,
        codes: says.codes,
        answer: says.answer,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      },
    },
  );
}

function reasonOf(status: number, { codes }: ErrorAnswer): Reason {
  if (status === 401) return 'REGISTRY_UNAUTHENTICATED';
  if (status === 403) return 'REGISTRY_DENIED';
  if (status === 404) return 'REGISTRY_NOT_FOUND';
  if (status === 429) return 'REGISTRY_RATE_LIMITED';
  if (status === 405 || status === 501 || codes.includes('UNSUPPORTED')) return 'REGISTRY_UNSUPPORTED';
  if (status >= 500 || status === 408) return 'REGISTRY_FAILED';
  return status >= 400 ? 'REGISTRY_REFUSED' : 'REGISTRY_BAD_ANSWER';
}
