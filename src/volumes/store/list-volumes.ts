import { quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { DriverVolume, VolumeScope } from '../volume-driver.js';
import type { StoreDeps } from './deps.js';
import { getOrRefused } from './failures.js';
import { exactNames, many, nameMatcher, volumeMatcher } from './filters.js';
import { toVolume } from './find-volume.js';
import { isHeld } from './holders.js';
import { adoptedRecord } from './locate.js';
import { purgeLost } from './lost.js';
import type { StoreDriver } from './ports.js';
import type { ListVolumesOptions, Volume, VolumeList, VolumeWarning } from './types.js';
import type { VolumeRecord } from './volume-record.js';

interface Answer {
  readonly driver: StoreDriver;
  readonly scope: VolumeScope;
  readonly volumes: ReadonlyMap<string, DriverVolume>;
}

/**
 * Lists what is recorded and what drivers have beside that; all drivers are asked at the same time. Of a driver that
 * fails the recorded volumes are listed, with a warning. Nothing is recorded by being listed.
 */
export async function listVolumes(deps: StoreDeps, options: ListVolumesOptions): Promise<VolumeList> {
  const { signal } = options;
  const call: CallOptions = signal === undefined ? {} : { signal };
  throwIfAborted(signal);
  const isNamed = nameMatcher(options);
  // Before the drivers are asked: a volume that is made meanwhile is missing from neither or from both.
  const { records, problems } = deps.files.list(exactNames(options));
  const warnings: VolumeWarning[] = problems
    .filter(({ name }) => isNamed(name))
    .map(({ name, error }) => warning('record-unreadable', undefined, name, error.message, error));
  const named = new Set(records.filter(({ name }) => isNamed(name)).map(({ driver }) => driver));
  const answers = await askDrivers(deps, options, named, warnings, call);
  const volumes = new Map<string, Volume>();
  for (const record of records) {
    if (!isNamed(record.name)) continue;
    const volume = await recordedVolume(deps, record, answers, warnings, call);
    if (volume !== undefined) volumes.set(record.name, volume);
  }
  const known = new Map(records.map((record) => [record.name, record]));
  for (const answer of answers.values()) addUnrecorded(deps, answer, { known, volumes, warnings, isNamed });
  const matches = volumeMatcher(deps.drivers, options);
  const isTaken = heldNames(deps);
  const wanted = [...volumes.values()].filter(
    (volume) => matches(volume) && (options.dangling === undefined || options.dangling !== isTaken(volume.name)),
  );
  const order = (a: string | undefined, b: string | undefined) => ((a ?? '') < (b ?? '') ? -1 : a === b ? 0 : 1);
  return {
    volumes: wanted.sort((a, b) => order(a.name, b.name)),
    warnings: warnings.sort((a, b) => order(a.driver, b.driver) || order(a.volume, b.volume)),
  };
}

/** By full name of the driver; one that fails is not in it. */
async function askDrivers(
  deps: StoreDeps,
  options: ListVolumesOptions,
  recorded: ReadonlySet<string>,
  warnings: VolumeWarning[],
  call: CallOptions,
): Promise<Map<string, Answer>> {
  const wanted = many(options.driver);
  const isWanted = (name: string) => wanted === undefined || wanted.some((one) => deps.drivers.same(one, name));
  const failed = (name: string, error: Error) => {
    warnings.push(warning('driver-failed', name, undefined, error.message, error));
  };
  const { drivers, problems } = await deps.drivers.all(call);
  for (const { name, error } of problems) if (isWanted(name)) failed(name, error);
  const missing = [...recorded].filter((name) => ![...drivers, ...problems].some((one) => one.name === name));
  const asked = [
    ...drivers.filter((driver) => isWanted(driver.name)).map((driver) => ({ name: driver.name, driver })),
    // Their volumes are recorded, but nothing offers them now.
    ...missing.filter(isWanted).map((name) => ({ name, driver: undefined })),
  ];
  const answers = new Map<string, Answer>();
  const asking = asked.map(async ({ name, driver: known }) => {
    try {
      const driver = known ?? (await deps.drivers.get(name, call));
      const [volumes, scope] = await Promise.all([volumesOf(driver, options, call), driver.scope(call)]);
      answers.set(name, { driver, scope, volumes: new Map(volumes.map((volume) => [volume.name, volume])) });
    } catch (error) {
      failed(name, error as Error);
    }
  });
  await Promise.all(asking);
  throwIfAborted(call.signal);
  // In the order in which they win a name, not in that of their answers.
  return new Map(asked.flatMap(({ name }) => (answers.has(name) ? [[name, answers.get(name) as Answer]] : [])));
}

/** One that is asked for by name costs one question, not a list. */
async function volumesOf(
  driver: StoreDriver,
  options: ListVolumesOptions,
  call: CallOptions,
): Promise<readonly DriverVolume[]> {
  const names = exactNames(options);
  if (names === undefined) return await driver.list(call);
  const found = await Promise.all(names.map((name) => getOrRefused(driver, name, call)));
  return found.filter((volume) => volume !== undefined);
}

async function recordedVolume(
  deps: StoreDeps,
  record: VolumeRecord,
  answers: ReadonlyMap<string, Answer>,
  warnings: VolumeWarning[],
  call: CallOptions,
): Promise<Volume | undefined> {
  // It does not exist before its creation is acknowledged.
  if (record.state.status === 'creating') return undefined;
  const answer = answers.get(record.driver);
  const listed = answer?.volumes.get(record.name);
  if (answer === undefined || listed !== undefined) return toVolume(record, true, listed);
  // A list may lack what was made a moment ago, or what the driver does not care to list: `get` has the last word.
  try {
    const found = await answer.driver.get(record.name, call);
    if (found !== undefined) return toVolume(record, true, found);
    await purgeLost(deps, record);
    return undefined;
  } catch (error) {
    throwIfAborted(call.signal);
    const { message } = error as Error;
    warnings.push(warning('lost', record.driver, record.name, message, error as Error));
    return toVolume(record, true);
  }
}

interface Known {
  readonly known: ReadonlyMap<string, VolumeRecord>;
  readonly volumes: Map<string, Volume>;
  readonly warnings: VolumeWarning[];
  readonly isNamed: (name: string) => boolean;
}

function addUnrecorded(deps: StoreDeps, answer: Answer, { known, volumes, warnings, isNamed }: Known): void {
  for (const [name, found] of answer.volumes) {
    if (!isNamed(name)) continue;
    const owner = known.get(name)?.driver ?? volumes.get(name)?.driver;
    if (owner === undefined) {
      const record = adoptedRecord(deps, name, { driver: answer.driver, found }, answer.scope);
      volumes.set(name, toVolume(record, false, found));
    } else if (owner !== answer.driver.name) {
      const message = `driver ${quote(answer.driver.name)} has a volume ${quote(name)}, a name of driver ${quote(owner)}`;
      warnings.push(warning('name-of-other-driver', answer.driver.name, name, message, undefined));
    }
  }
}

/** Looks only at volumes that have a file of some holder: few of many do. */
function heldNames(deps: StoreDeps): (name: string) => boolean {
  let suspects: Set<string> | undefined;
  return (name) => {
    suspects ??= new Set([...deps.files.holds.volumes(), ...deps.files.uses.volumes()]);
    return suspects.has(name) && isHeld(deps, name);
  };
}

function warning(
  kind: VolumeWarning['kind'],
  driver: string | undefined,
  volume: string | undefined,
  message: string,
  error: Error | undefined,
): VolumeWarning {
  return { kind, driver, volume, message, error };
}
