import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { badOption, deepFreeze, emptyRecord } from './checks.js';
import { type ConfigFile, readConfigFile } from './config-file.js';
import type { EngineOptions } from './engine-options.js';
import { type IdFiles, resolveIdMaps, SYSTEM_ID_FILES } from './id-maps.js';
import { type CheckedOptions, checkOptions } from './option-checks.js';
import type { ResolvedConfig } from './resolved-config.js';

const MIB = 1 << 20;
const DEFAULT_ROOT = '/var/lib/caisson';
const RUN_PARENT = '/run/caisson';

/**
 * Checks the options once, reads the config file that they may name, and fills in defaults. Touches nothing.
 * Throws BAD_OPTION, UNKNOWN_OPTION, CONFLICTING_OPTIONS, BAD_ULIMIT or NOT_BUILT_YET; each names field and value.
 */
export function resolveConfig(options: EngineOptions = {}, idFiles: IdFiles = SYSTEM_ID_FILES): ResolvedConfig {
  const own = checkOptions('options', options);
  const file: ConfigFile =
    own.configFile === undefined ? { options: {}, warnings: [] } : readConfigFile(own.configFile);
  refuseDoubles(own, file, own.configFile);
  const given: CheckedOptions = { ...checkOptions(`file ${own.configFile}`, file.options), ...own };

  const root = realPath(given.root ?? DEFAULT_ROOT);
  const runDir = given.runDir === undefined ? defaultRunDir(root) : realPath(given.runDir);
  checkPlaces(root, runDir);
  const runtimes = given.runtimes ?? emptyRecord();
  const defaultRuntime = given.defaultRuntime ?? 'auto';
  if (!['auto', 'runc', 'crun'].includes(defaultRuntime) && !Object.hasOwn(runtimes, defaultRuntime)) {
    throw badOption('defaultRuntime', defaultRuntime, 'is not auto, runc, crun or a key of runtimes');
  }
  return deepFreeze({
    root,
    runDir,
    tempDir: given.tempDir ?? join(root, 'tmp'),
    snapshotter: given.snapshotter ?? 'auto',
    defaultRuntime,
    runtimes,
    supervisor: given.supervisor ?? 'auto',
    // A group of our own here would stay behind: no process can know that it was the last to need it.
    cgroupParent: given.cgroupParent ?? '',
    mtu: given.mtu ?? 1500,
    idMaps: given.idMaps === undefined ? undefined : resolveIdMaps(given.idMaps, idFiles),
    supervisorOomScoreAdj: given.supervisorOomScoreAdj ?? -500,
    defaultStopTimeoutMs: given.defaultStopTimeoutMs ?? 10_000,
    closeTimeoutMs: given.closeTimeoutMs ?? 15_000,
    defaultShmSizeBytes: given.defaultShmSizeBytes ?? 64 * MIB,
    defaultUlimits: uniqueUlimits(given.defaultUlimits ?? []),
    labels: given.labels ?? emptyRecord(),
    maxCollectedOutputBytes: given.maxCollectedOutputBytes ?? 64 * MIB,
    initPath: given.initPath,
    defaultSeccomp: given.defaultSeccomp ?? 'default',
    pluginSocketDirs: given.pluginSocketDirs,
    pluginSpecDirs: given.pluginSpecDirs,
    warnings: [...file.warnings],
  });
}

/** As dockerd: a setting in both places is refused even when they agree, because one of them would soon be stale. */
function refuseDoubles(own: CheckedOptions, file: ConfigFile, path: string | undefined): void {
  const doubles = Object.keys(file.options).filter((key) => Object.hasOwn(own, key));
  if (doubles.length === 0) return;
  const pairs = doubles.map((key) => {
    return `${key} (options: ${quote(own[key as keyof CheckedOptions])}, file: ${quote(file.options[key])})`;
  });
  throw engineError('CONFLICTING_OPTIONS', `given in the options and in ${quote(path)}: ${pairs.join(', ')}`, {
    details: { fields: doubles, configFile: path },
  });
}

/** Two names of one directory must give one root: the run dir is derived from it. What does not exist yet is kept. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

function defaultRunDir(root: string): string {
  return join(RUN_PARENT, createHash('sha256').update(root).digest('hex').slice(0, 12));
}

function checkPlaces(root: string, runDir: string): void {
  for (const [field, path] of [
    ['root', root],
    ['runDir', runDir],
  ] as const) {
    if (path === '/' || /^\/(proc|sys|dev)(\/|$)/.test(path)) {
      throw badOption(field, path, 'is no place for an engine: name a directory of its own');
    }
  }
  if (`${root}/`.startsWith(`${runDir}/`)) {
    throw engineError(
      'CONFLICTING_OPTIONS',
      `root ${quote(root)} is in runDir ${quote(runDir)}, which a reboot may empty`,
      {
        details: { root, runDir },
      },
    );
  }
}

function uniqueUlimits<T extends { readonly name: string }>(ulimits: readonly T[]): readonly T[] {
  const twice = ulimits.find((limit, i) => ulimits.findIndex((other) => other.name === limit.name) !== i);
  if (twice !== undefined) throw badOption('defaultUlimits', twice.name, 'is given twice');
  return ulimits;
}
