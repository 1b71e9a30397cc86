import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { abortError, listenForAbort } from '../util/signals.js';
import type { PluginDefinition, TlsSettings } from './plugin-definition.js';

/** Room of a unix socket address, without its closing zero. */
const MAX_SOCKET_PATH = 107;
/** Failures of a connection that may be other in a second. */
const PASSING = new Set(
  'ECONNREFUSED ENOENT ECONNRESET ECONNABORTED EAGAIN EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH EAI_AGAIN EINTR'.split(
    ' ',
  ),
);

export interface ConnectOptions {
  /** Ends the attempt; rejects with its error. */
  readonly signal: AbortSignal;
  readonly connectTimeoutMs: number;
}

/** True for a failed connection that is worth another try: no byte of a request was sent. */
export function isPassing(error: unknown): boolean {
  return (error as { details?: { passing?: unknown } } | null)?.details?.passing === true;
}

/**
 * Connects to where a plugin listens, with TLS where its definition says so. Never through a proxy. The caller
 * destroys the socket. Throws PLUGIN_UNREACHABLE, PLUGIN_TLS_FAILED, PLUGIN_BAD_DEFINITION, or the signal's error.
 */
export async function connectPlugin(plugin: PluginDefinition, options: ConnectOptions): Promise<Socket> {
  const { address } = plugin;
  if (address.kind === 'unix') return connectUnix(plugin, address.path, options);
  if (address.tls === undefined) {
    const { connect } = await import('node:net');
    return opened(plugin, connect({ host: address.host, port: address.port, noDelay: true }), 'connect', options);
  }
  const [tls, { isIP }] = await Promise.all([import('node:tls'), import('node:net')]);
  const { host, port } = address;
  const settings = tlsOptions(plugin, address.tls, tls.rootCertificates);
  let socket: Socket;
  try {
    socket = tls.connect({ host, port, ...settings, ...(isIP(host) === 0 && { servername: host }) });
  } catch (cause) {
    throw tlsFailed(plugin, cause);
  }
  return opened(plugin, socket, 'secureConnect', options);
}

async function connectUnix(plugin: PluginDefinition, path: string, options: ConnectOptions): Promise<Socket> {
  const { connect } = await import('node:net');
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return opened(plugin, connect({ path }), 'connect', options);
  // The kernel takes no longer path, but one through the directory's descriptor.
  let directory: number;
  try {
    directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw unreachable(plugin, cause);
  }
  try {
    const short = `/proc/self/fd/${directory}/${basename(path)}`;
    if (Buffer.byteLength(short) > MAX_SOCKET_PATH) {
      throw engineError('PLUGIN_BAD_DEFINITION', `plugin ${plugin.name}: file name of ${quote(path)} is too long`, {
        details: { plugin: plugin.name, path: plugin.path },
      });
    }
    return await opened(plugin, connect({ path: short }), 'connect', options);
  } finally {
    closeSync(directory);
  }
}

function opened(
  plugin: PluginDefinition,
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { signal, connectTimeoutMs }: ConnectOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // For good: an error that comes before or after somebody else listens must not become an uncaught one.
    socket.on('error', () => {});
    const fail = (error: Error) => {
      end();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(abortError(signal));
    const onError = (error: Error) => fail(event === 'connect' ? unreachable(plugin, error) : tlsOrNet(plugin, error));
    const onClose = () => fail(unreachable(plugin, Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
    const onOpen = () => {
      end();
      resolve(socket);
    };
    const timer = setTimeout(() => {
      fail(unreachable(plugin, Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    }, connectTimeoutMs);
    timer.unref();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose).off(event, onOpen);
    };
    socket.on('error', onError).on('close', onClose).on(event, onOpen);
    listenForAbort(signal, onAbort);
    if (signal.aborted) onAbort();
  });
}

function tlsOrNet(plugin: PluginDefinition, error: Error): Error {
  return PASSING.has(errnoOf(error) ?? '') ? unreachable(plugin, error) : tlsFailed(plugin, error);
}

function tlsFailed(plugin: PluginDefinition, cause: unknown): Error {
  const { code, message } = cause as { code?: string; message?: string };
  return engineError('PLUGIN_TLS_FAILED', `plugin ${plugin.name}: TLS failed (${code ?? quote(message ?? cause)})`, {
    details: { plugin: plugin.name, path: plugin.path, tlsCode: code ?? null },
    cause,
  });
}

/** A connection that failed, or (`sent`) broke after the request went out. */
export function unreachable(plugin: PluginDefinition, cause: unknown, sent = false): Error {
  const errno = errnoOf(cause) ?? 'unknown';
  const at = plugin.address.kind === 'unix' ? plugin.address.path : `${plugin.address.host}:${plugin.address.port}`;
  const problem = sent ? `broke the connection (${errno})` : `can't be connected at ${quote(at)} (${errno})`;
  return engineError('PLUGIN_UNREACHABLE', `plugin ${plugin.name} ${problem}`, {
    details: { plugin: plugin.name, path: plugin.path, at, errno, sent, passing: !sent && PASSING.has(errno) },
    cause,
  });
}

function tlsOptions(plugin: PluginDefinition, tls: TlsSettings, roots: readonly string[]): ConnectionOptions {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw engineError('PLUGIN_BAD_DEFINITION', `plugin ${plugin.name}: ${quote(path)} can't be read`, {
        details: { plugin: plugin.name, path: plugin.path, file: path },
        cause,
      });
    }
  };
  return {
    rejectUnauthorized: tls.verify,
    minVersion: 'TLSv1.2',
    ...(tls.caFile !== undefined && { ca: [read(tls.caFile), ...(tls.exclusiveRoots ? [] : roots)] }),
    ...(tls.certFile !== undefined &&
      tls.keyFile !== undefined && { cert: read(tls.certFile), key: read(tls.keyFile) }),
  };
}
