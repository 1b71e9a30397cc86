import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { engineError, quote } from '../errors/index.js';
import type { PluginAddress, TlsSettings } from './plugin-definition.js';

const MAX_BYTES = 64 * 1024;

const filePath = v.pipe(v.nullish(v.string(), ''), v.maxLength(4096));
const flag = v.nullish(v.boolean(), false);
const jsonSchema = v.object({
  addr: v.pipe(v.string(), v.maxLength(4096)),
  tlsconfig: v.nullish(
    v.object({
      insecureskipverify: flag,
      exclusiverootpools: flag,
      cafile: filePath,
      certfile: filePath,
      keyfile: filePath,
    }),
  ),
});

export interface ReadDefinitionOptions {
  /** `docker`: by Docker's rules, which leave https unverified in some forms. */
  readonly tlsVerification: 'docker' | 'always';
}

/**
 * Reads a `.spec` (one URL) or `.json` file. Docker's rules: https of a `.spec` is not verified, nor of a `.json` whose
 * TLSConfig names no CAFile; one without TLSConfig is verified against the usual authorities. The path of a tcp, http or
 * https URL means nothing. Throws PLUGIN_BAD_DEFINITION; `undefined` when it is gone or no regular file.
 */
export function readDefinition(path: string, options: ReadDefinitionOptions): PluginAddress | undefined {
  const text = readSmallFile(path);
  if (text === undefined) return undefined;
  if (path.endsWith('.spec')) {
    return parseAddress(text.trim(), path, { verify: options.tlsVerification === 'always', exclusiveRoots: false });
  }
  const { addr, tlsconfig } = parseDefinition(text, path);
  if (!tlsconfig) return parseAddress(addr, path, { verify: true, exclusiveRoots: false });
  const skips = tlsconfig.insecureskipverify || (options.tlsVerification === 'docker' && tlsconfig.cafile === '');
  if (skips && options.tlsVerification === 'always') {
    throw bad(path, 'field InsecureSkipVerify is true, and the option tlsVerification forbids that');
  }
  return parseAddress(addr, path, {
    verify: !skips,
    exclusiveRoots: tlsconfig.exclusiverootpools,
    ...(tlsconfig.cafile !== '' && { caFile: tlsconfig.cafile }),
    // As in Docker one without the other is no client certificate.
    ...(tlsconfig.certfile !== '' &&
      tlsconfig.keyfile !== '' && { certFile: tlsconfig.certfile, keyFile: tlsconfig.keyfile }),
  });
}

function parseDefinition(text: string, path: string): v.InferOutput<typeof jsonSchema> {
  let value: unknown;
  try {
    value = lowerKeys(JSON.parse(text), 2);
  } catch (cause) {
    throw bad(path, 'is not JSON', cause);
  }
  const result = v.safeParse(jsonSchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw bad(path, `field ${quote(v.getDotPath(issue) ?? '')} ${quote(issue.input)} is wrong (${issue.message})`);
}

/** Docker reads keys in any case. Own properties without a prototype: a file may say `__proto__`. */
function lowerKeys(value: unknown, depth: number): unknown {
  // An object to the schema: without fields, and so without a CAFile to verify against.
  if (Array.isArray(value)) return 'a list';
  if (depth === 0 || typeof value !== 'object' || value === null) return value;
  const lower: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(value)) lower[key.toLowerCase()] = lowerKeys(member, depth - 1);
  return lower;
}

function parseAddress(text: string, path: string, tls: TlsSettings): PluginAddress {
  // A password may stand before the host.
  const shown = quote(text.replace(/\/\/[^/]*@/, '//***@'));
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw bad(path, `address ${shown} is no URL with a scheme`);
  }
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'unix') {
    const socket = url.host === '' ? safeDecode(url.pathname) : '';
    if (!isAbsolute(socket) || socket.includes('\0')) {
      throw bad(path, `address ${shown} is no absolute path (unix:///…)`);
    }
    return { kind: 'unix', path: socket };
  }
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https') {
    throw bad(path, `address ${shown} has scheme ${quote(scheme)}, not one of unix, tcp, http, https`);
  }
  if (url.hostname === '') throw bad(path, `address ${shown} has no host`);
  // Parsing drops the port that a scheme implies.
  const port = url.port !== '' ? Number(url.port) : scheme === 'https' ? 443 : 80;
  if (port === 0) throw bad(path, `address ${shown} has port 0`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { kind: 'tcp', host, port, ...(scheme === 'https' && { tls }) };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readSmallFile(path: string): string | undefined {
  let fd: number;
  try {
    // Not blocking: a FIFO there would hold the whole process until somebody writes.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined;
    throw bad(path, 'cannot be opened', cause);
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    if (length > MAX_BYTES) throw bad(path, `is longer than ${MAX_BYTES} bytes`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

function bad(path: string, problem: string, cause?: unknown): Error {
  return engineError('PLUGIN_BAD_DEFINITION', `plugin definition ${quote(path)}: ${problem}`, {
    details: { path },
    ...(cause !== undefined && { cause }),
  });
}
