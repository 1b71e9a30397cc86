import * as v from 'valibot';
import type { ProcessIdentity } from '../../os/process-identity.js';
import type { VolumeScope } from '../volume-driver.js';
import type { Operation } from './ports.js';

/**
 * What is being done to a volume, or was when its process died. `op` says who does it; without one, or with one that
 * is dead, whoever needs the volume takes the work over (see `takeOver`).
 *
 * - `creating`: its driver did not have it, and may have been told to create it. Nobody may use it yet.
 * - `ready`
 * - `removing`: the driver may have been told to remove it; goes on to the end, never back.
 * - `doubtful`: a removal whose outcome is not known; the driver has to be asked.
 */
export type VolumeState =
  | { readonly status: 'ready' }
  | { readonly status: 'creating' | 'removing' | 'doubtful'; readonly op?: Operation };

/** A volume on disk. */
export interface VolumeRecord {
  readonly name: string;
  /** Tells a volume from a later one of the same name. */
  readonly instance: string;
  readonly driver: string;
  readonly scope: VolumeScope;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
  /** Made for the life of this process: never flushed, and removed once the process is gone and nobody holds it. */
  readonly owner?: ProcessIdentity;
  readonly createdAt: string;
  readonly state: VolumeState;
}

// As pairs: an object of foreign keys would have to survive every reader between here and the disk.
const Pairs = v.array(v.tuple([v.string(), v.string()]));
export const IdentitySchema = v.object({ pid: v.number(), startTime: v.string(), bootId: v.string() });
export const OperationSchema = v.object({ process: IdentitySchema, token: v.string() });
const State = v.variant('status', [
  v.object({ status: v.literal('ready') }),
  v.object({ status: v.picklist(['creating', 'removing', 'doubtful']), op: v.exactOptional(OperationSchema) }),
]);
const Stored = v.object({
  name: v.string(),
  instance: v.string(),
  driver: v.string(),
  scope: v.picklist(['local', 'global']),
  options: Pairs,
  labels: Pairs,
  anonymous: v.boolean(),
  owner: v.exactOptional(IdentitySchema),
  createdAt: v.string(),
  state: State,
});

export function parseVolumeRecord(value: unknown): VolumeRecord {
  const stored = v.parse(Stored, value);
  return { ...stored, options: fromPairs(stored.options), labels: fromPairs(stored.labels) };
}

export function serializeVolumeRecord(record: VolumeRecord): unknown {
  return { ...record, options: Object.entries(record.options), labels: Object.entries(record.labels) };
}

function fromPairs(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const object = Object.create(null) as Record<string, string>;
  for (const [key, value] of pairs) object[key] = value;
  return object;
}

/** A copy without prototype: any key is data. */
export function copyStrings(from: Readonly<Record<string, string>>): Record<string, string> {
  return fromPairs(Object.entries(from));
}
