import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';

/** What TLS to one registry uses beside the authorities of the system. PEM text or bytes. @public */
export interface RegistryTls {
  /** Further authorities. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Our certificate, with its key. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
}

/** Material of one host, ready for Node's TLS. */
export interface TlsMaterial {
  readonly ca: readonly Buffer[];
  readonly identities: readonly { readonly cert: Buffer; readonly key: Buffer }[];
}

const MAX_FILE = 1024 * 1024;

/**
 * Reads `<dir>/<host[:port]>` of each directory, as Docker and podman lay them out: `*.crt` are authorities, `x.cert`
 * with `x.key` certificates of ours. A host without such a directory has none. Throws BAD_REGISTRY_CERTIFICATES.
 */
export function readCertsDirs(dirs: readonly string[], host: string): TlsMaterial {
  const ca: Buffer[] = [];
  const identities: { cert: Buffer; key: Buffer }[] = [];
  for (const parent of dirs) {
    const dir = join(parent, host);
    for (const name of namesIn(dir)) {
      const path = join(dir, name);
      if (name.endsWith('.crt')) ca.push(readPem(path));
      else if (name.endsWith('.cert')) {
        identities.push({ cert: readPem(path), key: readPem(`${path.slice(0, -'.cert'.length)}.key`) });
      } else if (name.endsWith('.key')) {
        readPem(`${path.slice(0, -'.key'.length)}.cert`);
      }
    }
  }
  return { ca, identities };
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw bad(dir, cause);
  }
}

function readPem(path: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw bad(path, cause);
  }
  if (bytes.length > MAX_FILE || !bytes.includes('-----BEGIN')) throw bad(path, undefined);
  return bytes;
}

function bad(path: string, cause: unknown): Error {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code;
  const what = errno === undefined ? 'is not a PEM file' : `can't be read (${errno})`;
  return engineError('BAD_REGISTRY_CERTIFICATES', `TLS file ${quote(path)} ${what}`, {
    details: { path, errno: errno ?? null },
    ...(cause !== undefined && { cause }),
  });
}
