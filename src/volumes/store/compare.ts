import { engineError, quote } from '../../errors/index.js';
import type { Holder } from './hold-volume.js';
import type { StoreDrivers } from './ports.js';
import type { VolumeRecord } from './volume-record.js';

/** A volume that is asked for, its fields checked. */
export interface WantedVolume {
  readonly name: string | undefined;
  readonly driver: string | undefined;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
  readonly ifExists: 'error' | 'return-if-equal' | 'return';
  readonly holder: Holder | undefined;
}

/**
 * Throws unless an existing volume may be given to who asks for one: VOLUME_EXISTS, or VOLUME_CONFLICT with the names
 * of what differs (never values: they may be passwords). A driver that is not asked for is not compared; options and
 * labels that are not given are none.
 */
export function assertWanted(drivers: StoreDrivers, existing: VolumeRecord, wanted: WantedVolume): void {
  const { name } = existing;
  if (wanted.ifExists === 'return') return;
  if (wanted.ifExists === 'error') {
    throw engineError('VOLUME_EXISTS', `volume ${quote(name)} exists`, {
      details: { volume: name, driver: existing.driver },
    });
  }
  const otherDriver = wanted.driver !== undefined && !drivers.same(wanted.driver, existing.driver);
  const differs = [
    ...(otherDriver ? ['driver'] : []),
    ...differingKeys(existing.options, wanted.options).map((key) => `options.${key}`),
    ...differingKeys(existing.labels, wanted.labels).map((key) => `labels.${key}`),
  ];
  if (differs.length === 0) return;
  const shown = differs.slice(0, 8).map((key) => quote(key, 64));
  throw engineError('VOLUME_CONFLICT', `volume ${quote(name)} exists with other ${shown.join(', ')}`, {
    details: { volume: name, driver: existing.driver, differs },
  });
}

function differingKeys(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const value = (of: Readonly<Record<string, string>>, key: string) => (Object.hasOwn(of, key) ? of[key] : undefined);
  return [...keys].filter((key) => value(a, key) !== value(b, key)).sort();
}
