import { engineError, quote } from '../../errors/index.js';
import { bareHost } from '../http/addresses.js';
import type { InsecureRegistries } from '../http/insecure-registries.js';
import { badAnswer } from '../http/transport-error.js';
import { safeUrl } from '../secrets.js';

export interface RealmRules {
  readonly insecure: InsecureRegistries;
  /** Hosts (`host[:port]`) that the user trusts with credentials of any registry. */
  readonly tokenServers: ReadonlySet<string>;
}

export interface RealmQuestion {
  /** Origin of the registry that named the realm. */
  readonly origin: URL;
  /** As the user calls the registry. */
  readonly registry: string;
  /** Credentials would be sent there. */
  readonly withCredentials: boolean;
}

/**
 * Decides whether the token server that a registry names may be asked.
 *
 * It must be https; plain http is taken only from a registry that is itself reached so, for a host that may be. With
 * credentials it must be the registry's own origin, or https on the standard port of the same host, of a domain above or
 * below it (`registry.gitlab.com` and `gitlab.com`), Docker Hub's, or one that the user trusts.
 * Throws REGISTRY_BAD_ANSWER, REGISTRY_UNTRUSTED_REALM.
 */
export function checkRealm(realm: string | undefined, question: RealmQuestion, rules: RealmRules): URL {
  const { origin, registry, withCredentials } = question;
  if (realm === undefined || !URL.canParse(realm)) throw badAnswer(origin, 'asks for a token of no valid realm');
  const url = new URL(realm);
  const details = { registry, realm: safeUrl(url) };
  const untrusted = (why: string) =>
    engineError(
      'REGISTRY_UNTRUSTED_REALM',
      `registry ${quote(registry)} names token server ${quote(url.host)}, ${why}`,
      {
        details,
      },
    );
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw untrusted(`which is ${quote(url.protocol)}`);
  if (url.username !== '' || url.password !== '') throw untrusted('with a user name in its URL');
  url.hash = '';
  if (url.protocol === 'http:') {
    const security = rules.insecure.of(url.host);
    const isAllowed = security === 'insecure' || (origin.protocol === 'http:' && security === 'loopback');
    if (!isAllowed) throw untrusted('which is not https');
  }
  if (withCredentials && !isTrusted(url, question, rules)) throw untrusted('which belongs to another host');
  return url;
}

function isTrusted(url: URL, { origin, registry }: RealmQuestion, { tokenServers }: RealmRules): boolean {
  if (url.origin === origin.origin || tokenServers.has(url.host)) return true;
  if (url.protocol !== 'https:' || url.port !== '') return false;
  if (registry === 'docker.io' && url.host === 'auth.docker.io') return true;
  const [realm, own] = [bareHost(url.host), bareHost(origin.host)];
  if (realm === own) return true;
  // Not for addresses, and not for a whole top-level domain.
  const isName = (host: string) => /\.[a-z][a-z0-9-]*$/.test(host);
  return isName(realm) && isName(own) && (own.endsWith(`.${realm}`) || realm.endsWith(`.${own}`));
}
