import * as v from 'valibot';
import { EngineError } from '../../errors/index.js';
import { readBody } from '../http/read-body.js';
import { badAnswer } from '../http/transport-error.js';
import { checkDigest, checkRepository, isDigest, type RegistryRepository } from '../names.js';
import { parseJsonObject } from '../protocol/json-object.js';
import type { RegistryRequest } from '../session/session.js';
import { at, type Call, type OperationDeps, originFor } from './deps.js';
import { getManifest } from './manifests.js';
import { INDEX_TYPE } from './media-types.js';
import { nextPage } from './tags.js';

/** A manifest that refers to another: a signature, a list of parts… @public */
export interface Referrer {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  /** Foreign keys and values. */
  readonly annotations: ReadonlyMap<string, string>;
}

const MAX_PAGES = 100;

const text = v.pipe(v.string(), v.maxLength(1024));
const annotations = v.pipe(
  v.nullish(
    v.custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
    {},
  ),
  v.transform((record) => new Map(Object.entries(record))),
  v.check((map) => [...map.values()].every((value) => typeof value === 'string')),
);
const indexSchema = v.object({
  manifests: v.nullish(
    v.array(
      v.object({
        digest: v.custom<string>(isDigest),
        mediaType: text,
        size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        artifactType: v.nullish(text),
        annotations,
      }),
    ),
    [],
  ),
});

/**
 * The manifests that name this one as their subject, by the referrers API or, where a registry lacks that, the tag
 * `sha256-<hex>` that clients keep instead. None of either: none.
 */
export async function listReferrers(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  artifactType: string | undefined,
  call: Call,
): Promise<Referrer[]> {
  checkRepository(repository);
  checkDigest(digest);
  const found =
    (await askApi(deps, repository, digest, artifactType, call)) ?? (await askTag(deps, repository, digest, call));
  // A registry may ignore the filter.
  return artifactType === undefined ? found : found.filter((referrer) => referrer.artifactType === artifactType);
}

/** `undefined` when the registry has no such API. */
async function askApi(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  artifactType: string | undefined,
  call: Call,
): Promise<Referrer[] | undefined> {
  const origin = originFor(repository);
  const place = at(origin, repository.repository, 'pull');
  const path = `${place.path}/referrers/${digest}`;
  const { maxManifestBytes: maxBytes, idleTimeoutMs } = deps.session.limits;
  const subject = { kind: 'referrers', name: `${repository.registry}/${repository.repository}@${digest}` };
  const found: Referrer[] = [];
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  let next: string | undefined = `${path}${filter}`;
  for (let pages = 0; next !== undefined; pages++) {
    if (pages === MAX_PAGES) throw badAnswer(new URL(`https://${origin.host}${path}`), 'lists referrers without end');
    const request: RegistryRequest = {
      ...place,
      method: 'GET',
      path: next,
      headers: { Accept: INDEX_TYPE },
      auth: call.auth,
      // Registries that know nothing of it say 404 of all kinds.
      accepts: [200, 404, 405, 501],
      subject,
    };
    const page: { referrers: Referrer[]; next: string | undefined } | undefined = await deps.session.read(
      origin,
      request,
      call.signal,
      async (answer) => {
        const bytes = await readBody(answer, { maxBytes, idleTimeoutMs, signal: call.signal });
        if (answer.status !== 200) return undefined;
        return { referrers: parseIndex(bytes, answer.url), next: nextPage(answer, path) };
      },
    );
    if (page === undefined) return undefined;
    found.push(...page.referrers);
    next = page.next;
  }
  return found;
}

async function askTag(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  call: Call,
): Promise<Referrer[]> {
  try {
    const tag = digest.replace(':', '-');
    const index = await getManifest(deps, { ...repository, tag }, { accept: [INDEX_TYPE] }, call);
    return index === undefined ? [] : parseIndex(index.bytes, new URL(`https://${originFor(repository).host}`));
  } catch (error) {
    if (EngineError.is(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

function parseIndex(bytes: Buffer, url: URL): Referrer[] {
  const result = v.safeParse(indexSchema, parseJsonObject(bytes), { abortEarly: true });
  if (!result.success) throw badAnswer(url, 'gave referrers that are no image index');
  return (result.output.manifests ?? []).map((found) => ({
    ...found,
    artifactType: found.artifactType ?? undefined,
    annotations: found.annotations as ReadonlyMap<string, string>,
  }));
}
