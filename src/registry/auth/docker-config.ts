import * as v from 'valibot';
import { engineError, quote } from '../../errors/index.js';
import { parseJsonObject } from '../protocol/json-object.js';
import { isRegistryAuth, type RegistryAuth } from './registry-auth.js';

/** The part of a Docker or podman configuration file that concerns credentials. */
export interface DockerConfig {
  /** What the file is called in messages. */
  readonly source: string;
  /** By registry as the file spells it. */
  readonly auths: ReadonlyMap<string, RegistryAuth>;
  /** Names of credential helpers by registry. */
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

const object = v.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'not an object',
);
const entries = v.pipe(
  v.nullish(object, {}),
  v.transform((record) => new Map(Object.entries(record))),
);
// What becomes part of a program's name: no slash, so it is looked for on the path only.
const helperName = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/));
const text = v.nullish(v.pipe(v.string(), v.maxLength(65_536)), '');

const configSchema = v.object({
  auths: v.pipe(
    entries,
    v.check((map) => map.size <= 10_000, 'too many'),
  ),
  credHelpers: v.pipe(
    entries,
    v.check((map) => [...map.values()].every((name) => v.is(helperName, name)), 'bad name'),
  ),
  credsStore: v.nullish(v.union([v.literal(''), helperName])),
});
const authSchema = v.object({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});

/**
 * Reads what `docker login` and `podman login` write. Throws BAD_CREDENTIALS_FILE, with no part of the text in it: it is
 * full of secrets. Entries that say nothing (their helper knows) are left out.
 */
export function parseDockerConfig(json: string, source: string): DockerConfig {
  const value = parseJsonObject(json);
  if (value === undefined) throw bad(source, 'is not a JSON object');
  const result = v.safeParse(configSchema, value, { abortEarly: true });
  if (!result.success) throw bad(source, `is wrong at ${quote(v.getDotPath(result.issues[0]) ?? 'its top')}`);
  const { auths, credHelpers, credsStore } = result.output;
  const found = new Map<string, RegistryAuth>();
  for (const [registry, entry] of auths) {
    const auth = parseEntry(entry, registry, source);
    if (auth !== undefined) found.set(registry, auth);
  }
  return { source, auths: found, credHelpers: credHelpers as Map<string, string>, credsStore: credsStore || undefined };
}

function parseEntry(entry: unknown, registry: string, source: string): RegistryAuth | undefined {
  const where = `has an entry for ${quote(registry)} that`;
  const result = v.safeParse(authSchema, entry ?? {});
  if (!result.success) throw bad(source, `${where} is malformed`);
  const { auth, username, password, identitytoken, registrytoken } = result.output;
  let found: RegistryAuth | undefined;
  if (registrytoken !== '') found = { registryToken: registrytoken };
  else if (identitytoken !== '') found = { identityToken: identitytoken };
  else if (auth !== '') {
    const decoded = Buffer.from(auth, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 1) throw bad(source, `${where} is not user:password in base64`);
    // Docker's own rule: older ones filled it up with zeros.
    found = { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
  } else if (username !== '') found = { username, password };
  if (found !== undefined && !isRegistryAuth(found)) throw bad(source, `${where} has characters that can't be right`);
  return found;
}

function bad(source: string, what: string): Error {
  return engineError('BAD_CREDENTIALS_FILE', `${quote(source)} ${what}`, { details: { source } });
}

/** Docker Hub's name in configuration files and for credential helpers. */
export const HUB_KEY = 'https://index.docker.io/v1/';
const HUB_NAMES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

export function isHub(registry: string): boolean {
  return HUB_NAMES.has(registry);
}

/**
 * What a map of registries has for a repository: podman's keys with a path (`host/team`) before the host's own, the
 * longest first. A key counts for its exact host and port; scheme and version path that old tools wrote are ignored.
 */
export function findByRegistry<T>(
  map: ReadonlyMap<string, T>,
  registry: string,
  repository: string | undefined,
): T | undefined {
  const names = isHub(registry) ? [...HUB_NAMES] : [registry];
  const parts = repository?.split('/') ?? [];
  for (let length = parts.length; length > 0; length--) {
    const path = parts.slice(0, length).join('/');
    for (const name of names) {
      const found = map.get(`${name}/${path}`);
      if (found !== undefined) return found;
    }
  }
  for (const name of names) {
    const found = map.get(name);
    if (found !== undefined) return found;
  }
  for (const [key, value] of map) if (names.includes(hostOfKey(key))) return value;
  return undefined;
}

function hostOfKey(key: string): string {
  const match = /^(https?:\/\/)?([^/]+)(\/.*)?$/i.exec(key);
  const [, scheme, host = '', path = ''] = match ?? [];
  // Without a scheme a path is a namespace, unless it is the version.
  return scheme !== undefined || /^\/(?:v[12]\/?)?$/.test(path) || path === '' ? host : '';
}
