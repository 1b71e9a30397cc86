import { engineError, quote } from '../../errors/index.js';
import { isHub } from '../auth/docker-config.js';
import { isRegistryHost } from '../names.js';

/** A mirror of a registry. @public */
export interface RegistryMirror {
  /** `https://host[:port][/path]`; a path stands before the repository: `/v2/<path>/library/alpine`. */
  readonly url: string;
  /** Believe what it says about tags. Otherwise the registry itself is asked which digest a tag has. @defaultValue false */
  readonly isTrusted?: boolean;
}

/** Mirrors by registry, in the order in which they are tried. A text is an URL. @public */
export type MirrorOptions = Readonly<Record<string, readonly (string | RegistryMirror)[]>>;

/** Where requests for a registry may go. */
export interface Endpoint {
  /** Host and port of requests. */
  readonly host: string;
  /** What credentials and messages call it: `docker.io`, or the mirror's host. */
  readonly name: string;
  /** Only this scheme, where a mirror's URL says it. */
  readonly scheme: 'https:' | 'http:' | undefined;
  /** Stands before the repository: empty, or `path/`. */
  readonly prefix: string;
  readonly isMirror: boolean;
  readonly isTrusted: boolean;
}

const HUB_HOST = 'registry-1.docker.io';

/** The registry itself. */
export function originOf(registry: string): Endpoint {
  const host = isHub(registry) ? HUB_HOST : registry;
  const name = isHub(registry) ? 'docker.io' : registry;
  return { host, name, scheme: undefined, prefix: '', isMirror: false, isTrusted: true };
}

/** Mirrors by registry, checked. Throws BAD_OPTION. */
export function parseMirrors(options: MirrorOptions): ReadonlyMap<string, readonly Endpoint[]> {
  const mirrors = new Map<string, readonly Endpoint[]>();
  for (const [registry, entries] of Object.entries(options)) {
    if (!isRegistryHost(registry) || !Array.isArray(entries))
      throw bad(registry, 'is not a host with a list of mirrors');
    const name = isHub(registry) ? 'docker.io' : registry;
    mirrors.set(
      name,
      entries.map((entry: string | RegistryMirror) => parseMirror(registry, entry)),
    );
  }
  return mirrors;
}

function parseMirror(registry: string, entry: string | RegistryMirror): Endpoint {
  const { url: text, isTrusted = false } = typeof entry === 'string' ? { url: entry } : (entry ?? {});
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol;
  if (url === undefined || (scheme !== 'https:' && scheme !== 'http:') || !isRegistryHost(url.host)) {
    throw bad(registry, 'has a mirror that is no http or https URL');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    throw bad(registry, 'has a mirror with a user or query in its URL; give credentials by the host of the mirror');
  }
  const path = url.pathname.replace(/^\/(?:v2(?=\/|$)\/?)?/, '').replace(/\/+$/, '');
  if (path !== '' && !/^[a-z0-9._/-]+$/i.test(path)) throw bad(registry, 'has a mirror with an odd path');
  const prefix = path === '' ? '' : `${path}/`;
  return { host: url.host, name: url.host, scheme, prefix, isMirror: true, isTrusted };
}

function bad(registry: string, what: string): Error {
  return engineError('BAD_OPTION', `field mirrors: ${quote(registry)} ${what}`, {
    details: { field: 'mirrors', registry },
  });
}
