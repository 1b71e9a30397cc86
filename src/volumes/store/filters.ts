import { engineError, quote } from '../../errors/index.js';
import { SAFE_NAME } from '../../util/ids.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import { checkBoolean } from './check-options.js';
import type { StoreDrivers } from './ports.js';
import type { ListVolumesOptions, Volume, VolumeFilter } from './types.js';

const KNOWN: KnownOptions<ListVolumesOptions> = {
  signal: true,
  name: true,
  prefix: true,
  driver: true,
  label: true,
  labels: true,
  dangling: true,
  anonymous: true,
  scope: true,
};

/** Throws BAD_OPTION, UNKNOWN_OPTION. */
export function checkFilter(filter: ListVolumesOptions): void {
  assertKnownOptions(filter, KNOWN);
  for (const field of ['dangling', 'anonymous'] as const) {
    if (filter[field] !== undefined) checkBoolean(field, filter[field]);
  }
  for (const field of ['prefix', 'driver', 'label', 'scope'] as const) {
    for (const value of many(filter[field]) ?? []) if (typeof value !== 'string') throw bad(field, value);
  }
  for (const value of many(filter.name) ?? []) {
    if (typeof value !== 'string' && !(value instanceof RegExp)) throw bad('name', value);
  }
  for (const value of many(filter.scope) ?? []) if (value !== 'local' && value !== 'global') throw bad('scope', value);
  checkLabels('labels', filter.labels);
}

export function checkLabels(field: string, labels: Readonly<Record<string, string | true>> | undefined): void {
  if (labels === undefined) return;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) throw bad(field, labels);
  for (const value of Object.values(labels)) if (value !== true && typeof value !== 'string') throw bad(field, value);
}

/** A predicate of everything but `dangling`. */
export function volumeMatcher(drivers: Pick<StoreDrivers, 'same'>, filter: VolumeFilter): (volume: Volume) => boolean {
  const { anonymous, labels } = filter;
  const byName = nameMatcher(filter);
  const wanted = many(filter.driver);
  const scopes = many(filter.scope);
  const label = many(filter.label)?.map(parseLabel);
  return (volume) =>
    byName(volume.name) &&
    (wanted === undefined || wanted.some((driver) => drivers.same(driver, volume.driver))) &&
    (scopes === undefined || scopes.includes(volume.scope)) &&
    (anonymous === undefined || volume.anonymous === anonymous) &&
    (label === undefined || label.some(([key, value]) => hasLabel(volume, key, value))) &&
    hasLabels(volume, labels ?? {});
}

export function nameMatcher({ name, prefix }: VolumeFilter): (name: string) => boolean {
  const names = many(name);
  const prefixes = many(prefix);
  const exact = names === undefined ? undefined : new Set(names.filter((one) => typeof one === 'string'));
  // Its own copy: one with the flag g or y remembers where it was.
  const expressions = names
    ?.filter((one) => one instanceof RegExp)
    .map((one) => new RegExp(one.source, one.flags.replace(/[gy]/g, '')));
  return (text) =>
    (exact === undefined || exact.has(text) || expressions?.some((one) => one.test(text)) === true) &&
    (prefixes === undefined || prefixes.some((one) => text.startsWith(one)));
}

/** The names, when a few are wanted and nothing else can fit. */
export function exactNames({ name }: VolumeFilter): readonly string[] | undefined {
  const names = many(name);
  if (names === undefined || names.length > 32) return undefined;
  return names.every((one) => typeof one === 'string' && SAFE_NAME.test(one))
    ? [...new Set(names as string[])]
    : undefined;
}

/** True when the volume has all of them. */
export function hasLabels(volume: Volume, labels: Readonly<Record<string, string | true>>): boolean {
  return Object.entries(labels).every(([key, value]) => hasLabel(volume, key, value));
}

export function hasLabel(volume: Volume, key: string, value: string | true): boolean {
  return Object.hasOwn(volume.labels, key) && (value === true || volume.labels[key] === value);
}

export function many<T>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  return value === undefined || Array.isArray(value) ? (value as readonly T[] | undefined) : [value as T];
}

function parseLabel(text: string): [string, string | true] {
  const at = text.indexOf('=');
  return at < 0 ? [text, true] : [text.slice(0, at), text.slice(at + 1)];
}

function bad(field: string, value: unknown): Error {
  return engineError('BAD_OPTION', `field ${field} ${quote(value)} is no such filter`, {
    details: { field, value: quote(value) },
  });
}
