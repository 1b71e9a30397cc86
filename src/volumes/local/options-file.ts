import { engineError, quote } from '../../errors/index.js';
import { decodeEnvelope, encodeEnvelope } from '../../state/envelope.js';
import { writeFileAtomic } from '../../state/index.js';
import { readOrQuarantine } from '../../state/quarantine.js';
import type { LocalVolumeOptions } from './options.js';

export const OPTIONS_FILE = 'opts.json';
const SCHEMA = 1;

/** The options of a volume as they are kept with it. */
export interface StoredOptions extends LocalVolumeOptions {
  /** The project that its limit of size is for. */
  readonly projectId?: number;
}

/** Writes the options file. Docker's field names stand inside the envelope that all records have. */
export function writeOptions(path: string, options: StoredOptions, { durable }: { readonly durable: boolean }): void {
  const record = {
    MountType: options.type,
    MountOpts: options.o,
    MountDevice: options.device,
    Quota: { Size: options.sizeBytes ?? 0 },
    ProjectId: options.projectId ?? 0,
  };
  writeFileAtomic(path, encodeEnvelope(SCHEMA, 1, record), { durable });
}

/**
 * Reads the options file of volume `name`: ours, or one as Docker writes it; one that says nothing is all empty.
 * `undefined` when there is none. Throws LOCAL_VOLUME_DAMAGED for a corrupt one, which is moved aside.
 */
export function readOptions(path: string, name: string): StoredOptions | undefined {
  const result = readOrQuarantine(path, (text) => decode(text, name));
  if (result.status === 'corrupt') throw damaged(name, result.quarantine);
  return result.status === 'ok' ? result.value : undefined;
}

export function damaged(name: string, quarantine: string): Error {
  return engineError('LOCAL_VOLUME_DAMAGED', `the options of volume ${quote(name)} can't be read`, {
    details: { name, quarantine },
  });
}

function decode(text: string, name: string): StoredOptions | undefined {
  const envelope = decodeEnvelope(text);
  if (envelope !== undefined && envelope.schema > SCHEMA) {
    const message = `volume ${quote(name)} has options of format ${envelope.schema}, this version knows ${SCHEMA}`;
    throw engineError('RECORD_UNKNOWN_FORMAT', message, { details: { kind: 'volume', id: name } });
  }
  try {
    const value = envelope === undefined ? JSON.parse(text) : envelope.record;
    // A damaged one of ours must not pass for Docker's.
    return envelope === undefined && Object.hasOwn(value as object, 'checksum') ? undefined : fromRecord(value);
  } catch {
    return undefined;
  }
}

function fromRecord(value: unknown): StoredOptions | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { MountType = '', MountOpts = '', MountDevice = '', Quota, ProjectId = 0 } = value as Record<string, unknown>;
  const size = (Quota as { Size?: unknown } | undefined)?.Size ?? 0;
  if (typeof MountType !== 'string' || typeof MountOpts !== 'string' || typeof MountDevice !== 'string')
    return undefined;
  if (!isCount(size) || !isCount(ProjectId)) return undefined;
  return {
    type: MountType,
    device: MountDevice,
    o: MountOpts,
    ...(size === 0 ? {} : { sizeBytes: size }),
    ...(ProjectId === 0 ? {} : { projectId: ProjectId }),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
