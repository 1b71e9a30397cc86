import { engineError, quote } from '../errors/index.js';
import type { ImageRunConfig } from './types.js';

/** What an image that caisson makes says about the process to run. @public */
export interface MadeImageConfig {
  /** Environment by name, or entries `NAME=value`. */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** What runs first; `cmd` or a container's command follow as its arguments. */
  readonly entrypoint?: readonly string[];
  /** Command of containers that name none. */
  readonly cmd?: readonly string[];
  /** Absolute path. */
  readonly workingDir?: string;
  /** `name`, `uid`, `name:group` or `uid:gid`. */
  readonly user?: string;
  /** Labels of the image. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Absolute paths that get an anonymous volume. */
  readonly volumes?: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts?: readonly string[];
  /** What `stop` sends first. @defaultValue SIGTERM */
  readonly stopSignal?: string;
}

export const DEFAULT_PATH_ENV = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const PORT = /^\d{1,5}(?:\/(?:tcp|udp|sctp))?$/;

/** Checks what a caller wants in an image's config. Throws BAD_OPTION, BAD_ENV, BAD_LABEL. */
export function checkMadeConfig(options: MadeImageConfig): Partial<ImageRunConfig> {
  const { user, workingDir, stopSignal } = options;
  if (workingDir !== undefined) assertAbsolute('workingDir', workingDir);
  for (const volume of textList('volumes', options.volumes)) assertAbsolute('volumes', volume);
  for (const port of textList('exposedPorts', options.exposedPorts)) {
    if (!PORT.test(port)) throw badOption('exposedPorts', port, 'is not of the form port[/protocol]');
  }
  for (const [field, value] of [
    ['user', user],
    ['stopSignal', stopSignal],
  ] as const) {
    if (value !== undefined) assertText(field, value);
  }
  return {
    env: checkEnv(options.env),
    entrypoint: textList('entrypoint', options.entrypoint),
    cmd: textList('cmd', options.cmd),
    labels: checkLabels(options.labels),
    volumes: options.volumes ?? [],
    exposedPorts: options.exposedPorts ?? [],
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
  };
}

function checkEnv(env: MadeImageConfig['env']): string[] {
  if (env === undefined) return [];
  const entries = Array.isArray(env)
    ? textList('env', env as readonly string[])
    : Object.entries(env).map(([name, value]) => `${name}=${assertText('env', value)}`);
  for (const entry of entries) {
    if (!/^[^=\0]+=[^\0]*$/s.test(entry)) {
      throw engineError('BAD_ENV', `env entry ${quote(entry)} is not NAME=value`, {
        details: { field: 'env', value: quote(entry) },
      });
    }
  }
  return [...entries];
}

function checkLabels(labels: MadeImageConfig['labels']): Map<string, string> {
  const map = new Map(Object.entries(labels ?? {}));
  for (const [key, value] of map) {
    if (key !== '' && typeof value === 'string') continue;
    throw engineError('BAD_LABEL', `label ${quote(key)} has the value ${quote(value)}`, {
      details: { field: 'labels', value: quote(key) },
    });
  }
  return map;
}

function textList(field: string, list: readonly string[] | undefined): readonly string[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw badOption(field, list, 'is not a list of strings');
  for (const item of list) assertText(field, item);
  return list;
}

function assertText(field: string, value: unknown): string {
  if (typeof value === 'string' && !value.includes('\0')) return value;
  throw badOption(field, value, 'is not a string without NUL');
}

function assertAbsolute(field: string, path: string): void {
  if (!assertText(field, path).startsWith('/')) throw badOption(field, path, 'is not an absolute path');
}

function badOption(field: string, value: unknown, problem: string): Error {
  return engineError('BAD_OPTION', `${field} ${quote(value)} ${problem}`, { details: { field, value: quote(value) } });
}
