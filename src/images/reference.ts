import { engineError, quote } from '../errors/index.js';
import { isDigest } from './digest.js';
import type { Digest } from './types.js';

/** A parsed image name: what `docker.io/library/alpine:3.22@sha256:…` says. @public */
export interface Reference {
  /** Registry host with optional port; `docker.io` for familiar names. */
  readonly domain: string;
  /** Repository path in the registry, `library/` included. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = 'docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const MAX_PATH = 255;
// The longest text that can be right: host and port, path, tag and digest with their separators.
const MAX_REFERENCE = 253 + 6 + 1 + MAX_PATH + 1 + 128 + 1 + 71;

const HOST_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(`^(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const PATH_PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${PATH_PART}(?:/${PATH_PART})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
const BARE_ID = /^[a-f0-9]{64}$/;

/**
 * Parses an image name by the grammar of the distribution project: familiar names get `docker.io` and `library/`,
 * what stands before the first slash is a registry when it is `localhost`, has a dot, a colon or an upper-case letter.
 * A bare 64-digit id is not a name. Throws BAD_REFERENCE.
 */
export function parseReference(text: string): Reference {
  if (typeof text !== 'string' || text.length === 0) throw bad(text, 'is empty');
  if (text.length > MAX_REFERENCE) throw bad(text, `is longer than ${MAX_REFERENCE} characters`);
  if (BARE_ID.test(text)) throw bad(text, 'is an image id, not a name');

  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw bad(text, 'has a digest that is not sha256:<64 hex digits>');
  const { domain, rest } = splitDomain(at < 0 ? text : text.slice(0, at));
  if (!DOMAIN.test(domain)) throw bad(text, `names the registry ${quote(domain)}, which is no host name`);

  const colon = rest.indexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  let path = colon < 0 ? rest : rest.slice(0, colon);
  if (tag !== undefined && !TAG.test(tag)) throw bad(text, `has the malformed tag ${quote(tag)}`);
  if (/[A-Z]/.test(path)) throw bad(text, 'has upper-case letters in the repository');
  if (domain === DEFAULT_DOMAIN && path !== '' && !path.includes('/')) path = OFFICIAL_PREFIX + path;
  if (!PATH.test(path)) throw bad(text, `has the malformed repository ${quote(path)}`);
  if (path.length > MAX_PATH) throw bad(text, `has a repository of more than ${MAX_PATH} characters`);

  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function splitDomain(name: string): { domain: string; rest: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  if (!isDomain) return { domain: DEFAULT_DOMAIN, rest: name };
  return { domain: first === 'index.docker.io' ? DEFAULT_DOMAIN : first, rest: name.slice(slash + 1) };
}

function bad(text: unknown, what: string): Error {
  return engineError('BAD_REFERENCE', `image reference ${quote(text)} ${what}`, {
    details: { field: 'reference', value: quote(text) },
  });
}

/** The reference with `latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** `domain/path`. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The one full spelling: `domain/path[:tag][@digest]`. */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** The name as people write it: without `docker.io/` and `library/`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const { path } = reference;
  const isOfficial = path.startsWith(OFFICIAL_PREFIX) && !path.slice(OFFICIAL_PREFIX.length).includes('/');
  return isOfficial ? path.slice(OFFICIAL_PREFIX.length) : path;
}

/** `familiarName` with tag and digest: what `docker images` shows. */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix(reference: Reference): string {
  return `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}
