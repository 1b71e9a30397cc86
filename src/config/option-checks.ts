import { constants } from 'node:buffer';
import { engineError, quote } from '../errors/index.js';
import { SAFE_NAME } from '../util/ids.js';
import {
  absolutePath,
  badOption,
  type Check,
  emptyRecord,
  integer,
  list,
  mapRecord,
  oneOf,
  onlyKeys,
  record,
  text,
} from './checks.js';
import type { DefaultUlimit, EngineOptions, IdMapOptions } from './engine-options.js';
import type { ConfiguredRuntime } from './resolved-config.js';

const MAX_MS = 2 ** 31 - 1;
const ULIMIT_NAMES =
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

/** A check for each option, named as in EngineOptions; the keys are the options that exist. */
export const OPTION_CHECKS = {
  root: absolutePath,
  runDir: absolutePath,
  tempDir: absolutePath,
  snapshotter: oneOf('overlay', 'vfs', 'auto'),
  defaultRuntime: runtimeName,
  runtimes: runtimeTable,
  supervisor: oneOf('auto', 'conmon', 'shim'),
  cgroupParent,
  mtu: integer(68, 65_535),
  idMaps: idMapOwner,
  supervisorOomScoreAdj: integer(-1000, 1000),
  defaultStopTimeoutMs: integer(0, MAX_MS),
  closeTimeoutMs: integer(0, MAX_MS),
  defaultShmSizeBytes: integer(1, Number.MAX_SAFE_INTEGER),
  defaultUlimits: (field: string, value: unknown) =>
    list(field, value).map((item, i) => ulimit(`${field}[${i}]`, item)),
  labels: (field: string, value: unknown) => labels(field, value),
  maxCollectedOutputBytes: integer(0, constants.MAX_STRING_LENGTH),
  initPath: absolutePath,
  defaultSeccomp: seccomp,
  configFile: absolutePath,
  // Objects of the host with methods: the DriverStore checks each.
  volumeDrivers: list,
  pluginSocketDirs: directories,
  pluginSpecDirs: directories,
  networkDrivers: notBuilt,
  logDrivers: notBuilt,
} satisfies { [K in keyof Required<EngineOptions>]: Check<unknown> };

export type CheckedOptions = { [K in keyof typeof OPTION_CHECKS]?: ReturnType<(typeof OPTION_CHECKS)[K]> };

/** Checks every option that is given; `undefined` counts as not given. */
export function checkOptions(source: string, options: unknown): CheckedOptions {
  const given = record(source, options);
  onlyKeys(source, given, Object.keys(OPTION_CHECKS));
  const checked: Record<string, unknown> = {};
  for (const [field, check] of Object.entries(OPTION_CHECKS)) {
    const value = given[field];
    if (value !== undefined) checked[field] = check(field, value);
  }
  return checked as CheckedOptions;
}

function directories(field: string, value: unknown): readonly string[] {
  return list(field, value).map((item, i) => absolutePath(`${field}[${i}]`, item));
}

function runtimeName(field: string, value: unknown): string {
  if (typeof value !== 'string' || !SAFE_NAME.test(value)) throw badOption(field, value, 'is not a name');
  return value;
}

function runtimeTable(field: string, value: unknown): Record<string, ConfiguredRuntime> {
  const table = emptyRecord<ConfiguredRuntime>();
  for (const [name, item] of Object.entries(record(field, value))) {
    runtimeName(`${field} key`, name);
    if (name === 'auto') throw badOption(`${field} key`, name, 'is the word for choosing a runtime, not a name');
    table[name] = configuredRuntime(`${field}.${name}`, item);
  }
  return table;
}

function configuredRuntime(field: string, value: unknown): ConfiguredRuntime {
  if (typeof value === 'string') return { path: program(field, value), root: undefined };
  const entry = record(field, value);
  onlyKeys(field, entry, ['path', 'root']);
  return {
    path: program(`${field}.path`, entry['path']),
    root: entry['root'] === undefined ? undefined : absolutePath(`${field}.root`, entry['root']),
  };
}

function program(field: string, value: unknown): string {
  const path = text(field, value);
  return path.includes('/') ? absolutePath(field, path) : path;
}

function cgroupParent(field: string, value: unknown): string {
  const path = absolutePath(field, value);
  if (path === '/') throw badOption(field, value, 'is the root of the cgroup tree');
  if (/[\n:]/.test(path)) throw badOption(field, value, 'has a colon or line feed');
  return path;
}

function idMapOwner(field: string, value: unknown): IdMapOptions {
  const entry = record(field, value);
  onlyKeys(field, entry, ['user', 'group']);
  const user = text(`${field}.user`, entry['user']);
  return { user, group: entry['group'] === undefined ? user : text(`${field}.group`, entry['group']) };
}

function ulimit(field: string, value: unknown): DefaultUlimit {
  const entry = record(field, value);
  onlyKeys(field, entry, ['name', 'soft', 'hard']);
  const name = oneOf(...ULIMIT_NAMES)(`${field}.name`, entry['name']);
  const soft = integer(-1, Number.MAX_SAFE_INTEGER)(`${field}.soft`, entry['soft']);
  const hard = integer(-1, Number.MAX_SAFE_INTEGER)(`${field}.hard`, entry['hard']);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw engineError('BAD_ULIMIT', `option ${field} ${quote(value)} has a soft limit above the hard one`, {
      details: { field, value: quote(value) },
    });
  }
  return { name, soft, hard };
}

function labels(field: string, value: unknown): Record<string, string> {
  return mapRecord(field, value, (itemField, item) => {
    if (itemField === `${field}[""]`) throw badOption(field, '', 'is an empty label key');
    if (typeof item !== 'string') throw badOption(itemField, item, 'is not a string');
    return item;
  });
}

function seccomp(field: string, value: unknown): 'default' | 'unconfined' | Record<string, unknown> {
  if (value === 'default' || value === 'unconfined') return value;
  const profile = record(field, value);
  try {
    return JSON.parse(JSON.stringify(profile)) as Record<string, unknown>;
  } catch (cause) {
    throw engineError('BAD_OPTION', `option ${field} is not plain JSON data`, { details: { field }, cause });
  }
}

function notBuilt(field: string, value: unknown): readonly [] {
  if (list(field, value).length === 0) return [];
  throw engineError('NOT_BUILT_YET', `option ${field} is not supported yet`, { details: { field } });
}
