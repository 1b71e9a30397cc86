import { readFileSync, statSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { absolutePath, badOption, emptyRecord, integer, list, record, text } from './checks.js';

const MAX_BYTES = 1 << 20;

/** What a config file says: options under our names (unchecked), and what in it has no effect. */
export interface ConfigFile {
  readonly options: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

type Translate = (field: string, value: unknown, warn: (text: string) => void) => Readonly<Record<string, unknown>>;

/** Keys of Docker's daemon.json that mean something here, and what they become. */
const KEYS: Readonly<Record<string, Translate>> = {
  'data-root': (_, value) => ({ root: value }),
  'exec-root': (_, value) => ({ runDir: value }),
  'storage-driver': (_, value) => ({ snapshotter: value === 'overlay2' ? 'overlay' : value }),
  'default-runtime': (_, value) => ({ defaultRuntime: value }),
  runtimes: (field, value, warn) => ({ runtimes: runtimes(field, value, warn) }),
  'default-shm-size': (field, value) => ({ defaultShmSizeBytes: bytes(field, value) }),
  'default-ulimits': (field, value) => ({ defaultUlimits: ulimits(field, value) }),
  mtu: (_, value) => ({ mtu: value }),
  'userns-remap': (field, value) => (value === '' ? {} : { idMaps: remap(field, value) }),
  'cgroup-parent': (_, value) => ({ cgroupParent: value }),
  'exec-opts': (field, value, warn) => execOptions(field, value, warn),
  'init-path': (_, value) => ({ initPath: value }),
  'seccomp-profile': (field, value) => ({ defaultSeccomp: seccompProfile(field, value) }),
  'shutdown-timeout': (field, value) => ({ closeTimeoutMs: integer(0, 2_147_483)(field, value) * 1000 }),
  'oom-score-adjust': (_, value) => ({ supervisorOomScoreAdj: value }),
  labels: (field, value) => ({ labels: labels(field, value) }),
};

/** Reads a file in the format of Docker's daemon.json. Keys that we don't know are no error: they are listed as warnings. */
export function readConfigFile(path: string): ConfigFile {
  const document = readJson('configFile', path);
  const warnings: string[] = [];
  const options: Record<string, unknown> = {};
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(document)) {
    const translate = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (translate === undefined) unknown.push(key);
    else
      Object.assign(
        options,
        translate(`${key} of ${path}`, value, (warning) => warnings.push(warning)),
      );
  }
  if (unknown.length > 0) {
    warnings.push(`${quote(path)} has keys without effect here: ${unknown.map((key) => quote(key)).join(', ')}`);
  }
  return { options, warnings };
}

function readJson(field: string, path: string): Record<string, unknown> {
  let content: string;
  try {
    if (statSync(path).size > MAX_BYTES) throw badOption(field, path, `is larger than ${MAX_BYTES} bytes`);
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw engineError(
      'BAD_OPTION',
      `option ${field} ${quote(path)} can't be read (${(cause as NodeJS.ErrnoException).code})`,
      {
        details: { field, path },
        cause,
      },
    );
  }
  try {
    return record(field, JSON.parse(content));
  } catch (cause) {
    throw engineError('BAD_OPTION', `option ${field} ${quote(path)} is not a JSON object`, {
      details: { field, path },
      cause,
    });
  }
}

function runtimes(field: string, value: unknown, warn: (text: string) => void): Record<string, unknown> {
  const table = emptyRecord<unknown>();
  for (const [name, item] of Object.entries(record(field, value))) {
    const { path, ...rest } = record(`${field}, ${quote(name)}`, item);
    if (path === undefined) throw badOption(`${field}, ${quote(name)}`, item, 'has no path');
    if (Object.keys(rest).length > 0) {
      warn(
        `${field}, ${quote(name)}: ${Object.keys(rest)
          .map((key) => quote(key))
          .join(', ')} have no effect here`,
      );
    }
    table[name] = { path };
  }
  return table;
}

/** A number of bytes, or one with a unit as Docker writes it: `64m`, `1.5G`, `512 KiB`. */
function bytes(field: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)$/i.exec(value);
  if (match === null) throw badOption(field, value, 'is not a size such as 64m');
  return Math.floor(Number(match[1]) * 1024 ** ('kmgtp'.indexOf((match[2] ?? ' ').toLowerCase()) + 1));
}

function ulimits(field: string, value: unknown): unknown[] {
  return Object.entries(record(field, value)).map(([name, item]) => {
    const entry = record(`${field}, ${quote(name)}`, item);
    return { name: entry['Name'] ?? name, soft: entry['Soft'], hard: entry['Hard'] };
  });
}

/** `default`, `user` or `user:group`; `default` is the user that Docker makes for itself. */
function remap(field: string, value: unknown): unknown {
  const [user = '', group, more] = text(field, value).split(':');
  if (more !== undefined) throw badOption(field, value, 'is not user or user:group');
  if (user === 'default') return { user: 'dockremap' };
  return group === undefined ? { user } : { user, group };
}

function execOptions(field: string, value: unknown, warn: (text: string) => void): Record<string, never> {
  for (const item of list(field, value)) {
    const option = text(field, item);
    if (option === 'native.cgroupdriver=cgroupfs') continue;
    if (option.startsWith('native.cgroupdriver=')) {
      throw badOption(field, option, 'is not supported: cgroups are made without systemd (cgroupfs)');
    }
    warn(`${field}: ${quote(option)} has no effect here`);
  }
  return {};
}

function seccompProfile(field: string, value: unknown): unknown {
  if (value === 'unconfined') return value;
  if (value === '' || value === 'builtin') return 'default';
  return readJson(field, absolutePath(field, value));
}

function labels(field: string, value: unknown): Record<string, string> {
  const result = emptyRecord<string>();
  for (const item of list(field, value)) {
    const label = text(field, item);
    const equals = label.indexOf('=');
    if (equals < 1) throw badOption(field, label, 'is not key=value');
    const key = label.slice(0, equals);
    if (key in result) throw badOption(field, label, 'gives a key twice');
    result[key] = label.slice(equals + 1);
  }
  return result;
}
