import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findBinary, requireBinary } from '../require.js';
import { runOk } from '../run.js';

/** How a registry of the tests is protected and what it stands for. */
export interface RegistryProcessOptions {
  /** Its blobs and config go below: from `registryDir`, one directory per registry. */
  readonly dir: string;
  /** User names and passwords for Basic authentication. */
  readonly users?: Readonly<Record<string, string>>;
  /** Authentication by tokens that are signed by the key of `certificatePath`; see token-server.ts. */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificatePath: string;
  };
  /** Paths of PEM files; `clientCa` demands a client certificate. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  /** A pull-through mirror of this registry: `http://127.0.0.1:port`. */
  readonly mirrorOf?: string;
  /** Port to listen on. @defaultValue any that is free */
  readonly port?: number;
  /** False: DELETE is answered with 405, as Debian's registry does by itself. @defaultValue true */
  readonly allowsDelete?: boolean;
}

/** A running docker-registry. */
export interface RegistryProcess {
  /** `127.0.0.1:port`, as it stands in image names. */
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:port` or https. */
  readonly url: string;
  readonly pid: number;
  /** Where its blobs are. */
  readonly storage: string;
  /** What it logged so far. */
  log(): string;
  /** SIGKILL by default; resolves when it is gone. Idempotent. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Another process on the same port and storage. */
  restart(): Promise<RegistryProcess>;
}

const running = new Map<string, Set<() => Promise<void>>>();

/**
 * A directory for registries, removed after the test: not before those that were started in it or below are gone. Hooks
 * run in the order in which they came, so a directory of `tempDir` would go first, under a registry that writes to it.
 */
export function registryDir(t: { after(work: () => Promise<void>): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-registry-'));
  t.after(async () => {
    for (const [place, stops] of running) {
      if (!`${place}/`.startsWith(`${dir}/`)) continue;
      for (const stop of stops) await stop();
      running.delete(place);
    }
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

/** Starts Debian's docker-registry on 127.0.0.1; it ends with the test. Skips and gives undefined where there is none. */
export async function startRegistry(
  t: Pick<TestContext, 'skip' | 'after'>,
  options: RegistryProcessOptions,
): Promise<RegistryProcess | undefined> {
  const program = requireBinary(t, 'docker-registry');
  if (program === undefined) return undefined;
  const storage = join(options.dir, 'storage');
  mkdirSync(storage, { recursive: true });
  const configPath = join(options.dir, 'config.json');
  writeFileSync(configPath, JSON.stringify(await configOf(options, storage)));
  // With its parent's death it dies too, also when the test process is killed.
  const setpriv = findBinary('setpriv');
  const command = [program, 'serve', configPath];
  const argv = setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', ...command];
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
  });
  const output = { text: '' };
  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  const stops = running.get(options.dir) ?? new Set();
  running.set(options.dir, stops.add(stop));
  t.after(() => stop());
  const port = await listeningPort(child, output);
  const host = `127.0.0.1:${port}`;
  return {
    host,
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    pid: child.pid as number,
    storage,
    log: () => output.text,
    stop,
    restart: async () => {
      await stop();
      return (await startRegistry(t, { ...options, port })) as RegistryProcess;
    },
  };
}

async function configOf(options: RegistryProcessOptions, storage: string): Promise<object> {
  const { tls, token, users, mirrorOf } = options;
  const clientCa = tls?.clientCa;
  let htpasswdPath: string | undefined;
  if (users !== undefined) {
    htpasswdPath = join(options.dir, 'htpasswd');
    const lines = await Promise.all(Object.entries(users).map(async ([name, pass]) => `${name}:${await bcrypt(pass)}`));
    writeFileSync(htpasswdPath, `${lines.join('\n')}\n`);
  }
  return {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: options.allowsDelete ?? true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: `127.0.0.1:${options.port ?? 0}`,
      secret: 'of the tests',
      ...(tls && {
        tls: { certificate: tls.cert, key: tls.key, ...(clientCa !== undefined && { clientcas: [clientCa] }) },
      }),
    },
    ...(mirrorOf !== undefined && { proxy: { remoteurl: mirrorOf } }),
    ...(htpasswdPath !== undefined && { auth: { htpasswd: { realm: 'registry of the tests', path: htpasswdPath } } }),
    ...(token && {
      auth: {
        token: {
          realm: token.realm,
          service: token.service,
          issuer: token.issuer,
          rootcertbundle: token.certificatePath,
        },
      },
    }),
  };
}

/** The registry wants bcrypt; perl's crypt is the C library's. The password goes through stdin. */
async function bcrypt(password: string): Promise<string> {
  const script = 'my $p = <STDIN>; print crypt($p, q($2y$05$abcdefghijklmnopqrstuu));';
  return (await runOk(findBinary('perl') ?? 'perl', ['-e', script], { input: password })).trim();
}

function listeningPort(child: ChildProcess, output: { text: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`docker-registry does not listen:\n${output.text}`)), 15_000);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output.text = (output.text + text).slice(-1_000_000);
        const port = /listening on [^ "]*:(\d+)/.exec(output.text)?.[1];
        if (port === undefined) return;
        clearTimeout(limit);
        resolve(Number(port));
      });
    }
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      reject(new Error(`docker-registry ended with ${code ?? signal}:\n${output.text}`));
    });
  });
}
