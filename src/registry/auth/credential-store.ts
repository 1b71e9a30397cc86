import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, raceSignal } from '../../util/signals.js';
import type { Secrets } from '../secrets.js';
import { askCredentialHelper } from './credential-helper.js';
import { type DockerConfig, findByRegistry, HUB_KEY, isHub, parseDockerConfig } from './docker-config.js';
import { isRegistryAuth, type RegistryAuth, rememberAuth } from './registry-auth.js';

/** Where credentials come from, in this order. @public */
export interface CredentialOptions {
  /** By registry: `host[:port]`, `docker.io`, or `host/path` for what is below it. */
  readonly registries?: Readonly<Record<string, RegistryAuth>>;
  /** The host's own source; `undefined`: ask the next. */
  readonly find?: (
    registry: string,
    repository: string | undefined,
    call: CallOptions,
  ) => RegistryAuth | undefined | Promise<RegistryAuth | undefined>;
  /**
   * Whether to read what `docker login` and `podman login` left: `DOCKER_AUTH_CONFIG`, the file of `REGISTRY_AUTH_FILE`,
   * `config.json` in `DOCKER_CONFIG` or `~/.docker`, with the credential helpers that they name.
   * @defaultValue true
   */
  readonly readLogins?: boolean;
  /** Limit of a credential helper. @defaultValue 30000 */
  readonly helperTimeoutMs?: number;
}

type Env = Readonly<Record<string, string | undefined>>;

export interface CredentialSettings extends CredentialOptions {
  readonly env: Env;
  readonly secrets: Secrets;
}

const MAX_FILE = 4 * 1024 * 1024;

/** Finds credentials when a registry asks for them; files are read anew each time, so a new login counts at once. */
export class CredentialStore {
  readonly #settings: CredentialSettings;
  readonly #registries: ReadonlyMap<string, RegistryAuth>;

  /** Throws BAD_OPTION, without the value. */
  constructor(settings: CredentialSettings) {
    this.#settings = settings;
    this.#registries = new Map(Object.entries(settings.registries ?? {}));
    for (const [registry, auth] of this.#registries) {
      if (!isRegistryAuth(auth)) {
        throw engineError('BAD_OPTION', `field credentials.registries[${quote(registry)}] is malformed`, {
          details: { field: `credentials.registries.${registry}` },
        });
      }
    }
  }

  /** Throws BAD_CREDENTIALS_FILE, CREDENTIAL_HELPER_FAILED, BAD_OPTION for what the host's `find` gave. */
  async find(
    registry: string,
    repository: string | undefined,
    call: CallOptions = {},
  ): Promise<RegistryAuth | undefined> {
    const auth = await this.#search(registry, repository, call);
    if (auth !== undefined) rememberAuth(this.#settings.secrets, auth);
    return auth;
  }

  async #search(
    registry: string,
    repository: string | undefined,
    call: CallOptions,
  ): Promise<RegistryAuth | undefined> {
    const explicit = findByRegistry(this.#registries, registry, repository);
    if (explicit !== undefined) return explicit;
    const { find, readLogins } = this.#settings;
    if (find !== undefined) {
      const given = await raceSignal(Promise.resolve(find(registry, repository, call)), call.signal);
      if (given !== undefined && !isRegistryAuth(given)) {
        throw engineError('BAD_OPTION', `field credentials.find gave something malformed for ${quote(registry)}`, {
          details: { field: 'credentials.find', registry },
        });
      }
      if (given !== undefined) return given;
    }
    if (readLogins === false) return undefined;
    for (const config of this.#configs()) {
      const found = await this.#inConfig(config, registry, repository, call);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #inConfig(
    config: DockerConfig,
    registry: string,
    repository: string | undefined,
    { signal }: CallOptions,
  ): Promise<RegistryAuth | undefined> {
    const helper = findByRegistry(config.credHelpers, registry, repository) ?? config.credsStore;
    if (helper !== undefined) {
      const { env, helperTimeoutMs = 30_000 } = this.#settings;
      const server = isHub(registry) ? HUB_KEY : registry;
      const found = await askCredentialHelper(helper, server, {
        env,
        timeoutMs: helperTimeoutMs,
        ...(signal && { signal }),
      });
      if (found !== undefined) return found;
    }
    return findByRegistry(config.auths, registry, repository);
  }

  *#configs(): Generator<DockerConfig> {
    const { env } = this.#settings;
    const inline = env['DOCKER_AUTH_CONFIG'];
    if (inline) yield parseDockerConfig(inline, 'DOCKER_AUTH_CONFIG');
    const dir = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
    for (const path of [env['REGISTRY_AUTH_FILE'], join(dir, 'config.json')]) {
      const json = path ? readSmallFile(path) : undefined;
      if (path && json !== undefined) yield parseDockerConfig(json, path);
    }
  }
}

function readSmallFile(path: string): string | undefined {
  try {
    // Before it is opened: a pipe would block.
    const stat = statSync(path);
    if (stat.isFile() && stat.size <= MAX_FILE) return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw engineError('BAD_CREDENTIALS_FILE', `${quote(path)} can't be read (${code})`, {
      details: { source: path, errno: code },
      cause,
    });
  }
  throw engineError('BAD_CREDENTIALS_FILE', `${quote(path)} is no file of at most ${MAX_FILE} bytes`, {
    details: { source: path },
  });
}
