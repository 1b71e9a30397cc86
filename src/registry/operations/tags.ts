import * as v from 'valibot';
import type { HttpAnswer } from '../http/http-client.js';
import { readBody } from '../http/read-body.js';
import { badAnswer } from '../http/transport-error.js';
import { checkRepository, isTag, type RegistryRepository } from '../names.js';
import { parseJsonObject } from '../protocol/json-object.js';
import { nextLink } from '../protocol/link-header.js';
import { at, type Call, type OperationDeps, originFor } from './deps.js';

const MAX_PAGE_BYTES = 32 * 1024 * 1024;
const MAX_PAGES = 10_000;

const pageSchema = v.object({ tags: v.nullish(v.array(v.string())) });

/** Lists the tags of a repository, page by page as they are taken. Throws REGISTRY_BAD_ANSWER for pages that lead in a circle. */
export async function* listTags(
  deps: OperationDeps,
  repository: RegistryRepository,
  pageSize: number,
  call: Call,
): AsyncGenerator<string, void, undefined> {
  checkRepository(repository);
  const origin = originFor(repository);
  const place = at(origin, repository.repository, 'pull');
  const path = `${place.path}/tags/list`;
  const subject = { kind: 'tags', name: `${repository.registry}/${repository.repository}` };
  const { idleTimeoutMs } = deps.session.limits;
  const seen = new Set<string>();
  for (let next: string | undefined = `${path}?n=${pageSize}`; next !== undefined; ) {
    seen.add(next);
    const request = { ...place, method: 'GET' as const, path: next, auth: call.auth, accepts: [200], subject };
    const page: { tags: readonly string[]; next: string | undefined } = await deps.session.read(
      origin,
      { ...request, headers: { Accept: 'application/json' } },
      call.signal,
      async (answer) => {
        const bytes = await readBody(answer, { maxBytes: MAX_PAGE_BYTES, idleTimeoutMs, signal: call.signal });
        return { tags: parsePage(bytes, answer.url), next: nextPage(answer, path) };
      },
    );
    yield* page.tags;
    next = page.next;
    if (next !== undefined && (seen.has(next) || seen.size >= MAX_PAGES)) {
      throw badAnswer(new URL(`https://${origin.host}${path}`), 'lists tags without end');
    }
  }
}

function parsePage(bytes: Buffer, url: URL): readonly string[] {
  const result = v.safeParse(pageSchema, parseJsonObject(bytes), { abortEarly: true });
  const tags = result.success ? (result.output.tags ?? []) : undefined;
  if (tags === undefined || !tags.every(isTag)) throw badAnswer(url, 'gave a list of tags with something else in it');
  return tags;
}

/**
 * Path and query of the next page. It must be the same list of the same registry: a link elsewhere would send us, with
 * our credentials, where the registry likes. Throws REGISTRY_BAD_ANSWER.
 */
export function nextPage(
  { headers, url: from }: Pick<HttpAnswer, 'headers' | 'url'>,
  path: string,
): string | undefined {
  const target = nextLink([headers.link ?? []].flat().join(', '));
  if (target === undefined) return undefined;
  const url = URL.canParse(target, from.href) ? new URL(target, from.href) : undefined;
  if (url === undefined || url.origin !== from.origin || url.pathname !== path || url.username !== '') {
    throw badAnswer(from, 'links to a next page elsewhere');
  }
  return url.pathname + url.search;
}
