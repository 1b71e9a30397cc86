import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { engineError, quote } from '../errors/index.js';
import { abortError, listenForAbort } from '../util/signals.js';
import { unreachable } from './connect-plugin.js';
import type { PluginDefinition } from './plugin-definition.js';

/** What Docker accepts; what the answer says it is, it does not look at. */
export const PLUGIN_ACCEPT = 'application/vnd.docker.plugins.v1.2+json';
/** Docker's: a path of a socket, as it once sent, is no host name. */
const UNIX_HOST = 'plugin.moby.localhost';
const MAX_ERROR_BYTES = 64 * 1024;

export interface PluginRequest {
  readonly method: string;
  /** Exact bytes; empty for a call without argument. */
  readonly body: Buffer;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
}

/**
 * One request on a fresh connection, which is destroyed after it; gives the parsed answer. Only status 200 is success;
 * redirects are not followed. Throws PLUGIN_CALL_FAILED, PLUGIN_BAD_ANSWER, PLUGIN_UNREACHABLE (details.sent), or the
 * signal's error.
 */
export async function postToPlugin(plugin: PluginDefinition, socket: Socket, request: PluginRequest): Promise<unknown> {
  try {
    const response = await send(plugin, socket, request);
    const failed = response.statusCode !== 200;
    const limit = failed ? MAX_ERROR_BYTES : request.maxAnswerBytes;
    const bytes = await collect(plugin, response, request, limit, failed);
    if (failed) throw callFailed(plugin, request, response.statusCode ?? 0, bytes.toString('utf8'));
    return parseAnswer(plugin, request, bytes);
  } finally {
    socket.destroy();
  }
}

async function send(plugin: PluginDefinition, socket: Socket, request: PluginRequest): Promise<IncomingMessage> {
  const http = await import('node:http');
  // It would say nothing any more, and the call would wait for its time limit.
  if (socket.destroyed) throw unreachable(plugin, { code: 'ECONNRESET' });
  const { address } = plugin;
  const hostName = address.kind === 'tcp' && address.host.includes(':') ? `[${address.host}]` : undefined;
  const host = address.kind === 'unix' ? UNIX_HOST : `${hostName ?? address.host}:${address.port}`;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      socket.destroy();
      reject(abortError(request.signal));
    };
    listenForAbort(request.signal, onAbort);
    const end = () => request.signal.removeEventListener('abort', onAbort);
    const message = http.request({
      // Without an agent: nothing is kept or shared, and no proxy that is set for the process is asked.
      createConnection: () => socket,
      method: 'POST',
      path: `/${request.method}`,
      headers: {
        Host: host,
        Accept: PLUGIN_ACCEPT,
        'Content-Length': request.body.length,
        'User-Agent': 'caisson',
      },
    });
    message.on('response', (response) => {
      end();
      resolve(response);
    });
    // It stays: an error after the response is the response's own too.
    message.on('error', (error) => {
      end();
      const { code } = error as { code?: string };
      // The parser's errors: what came is no HTTP.
      if (code?.startsWith('HPE_') === true) reject(badAnswer(plugin, request, `is no HTTP (${code})`, error));
      else reject(unreachable(plugin, error, true));
    });
    message.on('upgrade', (_, upgraded) => {
      end();
      upgraded.destroy();
      reject(badAnswer(plugin, request, 'switches protocols'));
    });
    message.end(request.body);
    if (request.signal.aborted) onAbort();
  });
}

function collect(
  plugin: PluginDefinition,
  response: IncomingMessage,
  request: PluginRequest,
  limit: number,
  cut: boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (settle: () => void) => {
      request.signal.removeEventListener('abort', onAbort);
      response.off('data', onData).off('end', onEnd).off('close', onClose);
      settle();
    };
    const onAbort = () => finish(() => reject(abortError(request.signal)));
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= limit) return;
      if (cut) finish(() => resolve(Buffer.concat(chunks).subarray(0, limit)));
      else finish(() => reject(badAnswer(plugin, request, `is longer than ${limit} bytes`)));
    };
    const onEnd = () => finish(() => resolve(Buffer.concat(chunks)));
    // Before 'end': the connection broke in the middle.
    const onClose = () => finish(() => reject(unreachable(plugin, { code: 'ECONNRESET' }, true)));
    response.on('data', onData).on('end', onEnd).on('close', onClose);
    response.on('error', () => {});
    listenForAbort(request.signal, onAbort);
    if (request.signal.aborted) onAbort();
  });
}

function parseAnswer(plugin: PluginDefinition, request: PluginRequest, bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw badAnswer(plugin, request, `${quote(bytes.toString('utf8', 0, 400), 100)} is not JSON`, cause);
  }
}

function callFailed(plugin: PluginDefinition, request: PluginRequest, status: number, body: string): Error {
  const answer = messageOf(body).slice(0, 2000);
  return engineError(
    'PLUGIN_CALL_FAILED',
    `plugin ${plugin.name} answered ${request.method} with status ${status} ${quote(answer)}`,
    { details: { plugin: plugin.name, method: request.method, status, answer } },
  );
}

/** Docker's rule: the Err of a JSON body, or else the body. */
function messageOf(body: string): string {
  try {
    const { Err } = JSON.parse(body) as { Err?: unknown };
    if (typeof Err === 'string' && Err !== '') return Err;
  } catch {
    // The text itself.
  }
  return body.trim();
}

export function badAnswer(
  plugin: PluginDefinition,
  request: Pick<PluginRequest, 'method'>,
  problem: string,
  cause?: unknown,
): Error {
  return engineError('PLUGIN_BAD_ANSWER', `plugin ${plugin.name}: answer to ${request.method} ${problem}`, {
    details: { plugin: plugin.name, method: request.method },
    ...(cause !== undefined && { cause }),
  });
}
