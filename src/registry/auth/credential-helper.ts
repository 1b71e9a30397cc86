import { EngineError, engineError, quote } from '../../errors/index.js';
import { findExecutable, SYSTEM_PATH, spawnChild } from '../../os/index.js';
import { abortError, type CallOptions, raceSignal, throwIfAborted } from '../../util/signals.js';
import { parseJsonObject } from '../protocol/json-object.js';
import { isRegistryAuth, type RegistryAuth } from './registry-auth.js';

type Env = Readonly<Record<string, string | undefined>>;

export interface HelperOptions {
  /** The helper's whole environment; it is found by its PATH. */
  readonly env: Env;
  readonly timeoutMs: number;
}

const MAX_OUTPUT = 64 * 1024;
const NOT_FOUND =
  /credentials not found|not found in native keychain|no credentials server url|no credentials username/i;

/**
 * Asks `docker-credential-<name> get` for the credentials of a registry, by Docker's protocol: the registry on stdin, an
 * object on stdout. Never a shell, nothing but `get` in its arguments. `undefined` when it has none.
 * Throws CREDENTIAL_HELPER_FAILED, or the signal's error; the helper and all that it started in its group are killed then.
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  options: HelperOptions & CallOptions,
): Promise<RegistryAuth | undefined> {
  throwIfAborted(options.signal);
  const program = `docker-credential-${name}`;
  const paths = (options.env['PATH'] ?? SYSTEM_PATH.join(':')).split(':').filter((dir) => dir.startsWith('/'));
  const file = findExecutable(program, paths);
  if (file === undefined) throw failed(program, server, 'is not installed');
  const { code, output } = await run(file, program, server, options);
  if (code !== 0) {
    if (NOT_FOUND.test(output)) return undefined;
    // An error text, by the protocol; one that looks like an answer may hold the secret.
    const says = /secret|[{}]/i.test(output) ? '' : ` and says ${quote(output.trim(), 200)}`;
    throw failed(program, server, `ended with status ${code}${says}`, { exitCode: code });
  }
  return parseAnswer(output, program, server);
}

async function run(
  file: string,
  program: string,
  server: string,
  { env, timeoutMs, signal }: HelperOptions & CallOptions,
): Promise<{ code: number | null; output: string }> {
  const given: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) if (value !== undefined) given[key] = value;
  let child: ReturnType<typeof spawnChild>;
  try {
    child = spawnChild({ file, args: ['get'], env: given, stdin: 'pipe', stderr: 'null', processGroup: 0 });
  } catch (cause) {
    throw failed(program, server, "can't be started", {}, cause);
  }
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(failed(program, server, `took longer than ${timeoutMs} ms`)), timeoutMs);
  timer.unref();
  const onAbort = () => limit.abort(abortError(signal as AbortSignal));
  signal?.addEventListener('abort', onAbort, { once: true });
  let isGone = false;
  const exit = child.exit.then((status) => {
    isGone = true;
    return status;
  });
  try {
    child.stdin?.end(server);
    const [output, { code }] = await raceSignal(
      Promise.all([collect(child.stdout as AsyncIterable<Buffer>, program, server), exit]),
      limit.signal,
    );
    return { code, output };
  } catch (error) {
    if (EngineError.is(error)) throw error;
    throw failed(program, server, 'broke off', {}, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    if (!isGone) killGroup(child.pid);
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.unref();
  }
}

function killGroup(pid: number): void {
  try {
    // Not reaped yet, so the group is its own still.
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It went just now.
  }
}

async function collect(stream: AsyncIterable<Buffer>, program: string, server: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_OUTPUT) throw failed(program, server, `wrote more than ${MAX_OUTPUT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseAnswer(output: string, program: string, server: string): RegistryAuth | undefined {
  const { Username: username, Secret: secret } = parseJsonObject(output) ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(program, server, 'gave no Username and Secret');
  if (username === '' && secret === '') return undefined;
  const auth = username === '<token>' ? { identityToken: secret } : { username, password: secret };
  if (!isRegistryAuth(auth)) throw failed(program, server, "gave a Username or token that can't be right");
  return auth;
}

function failed(program: string, server: string, what: string, details: object = {}, cause?: unknown): Error {
  return engineError('CREDENTIAL_HELPER_FAILED', `${program} ${what}, asked for ${quote(server)}`, {
    details: { program, server, ...details },
    ...(cause !== undefined && { cause }),
  });
}
