import { engineError } from '../../errors/index.js';
import { RecordStore } from '../../state/index.js';
import type { ContainerRecord } from '../record.js';

const SCHEMA = 1;
const STATUSES = new Set(['created', 'starting', 'running', 'paused', 'exited', 'removing']);

/** The store of container records. Its envelope has a checksum, so what is checked here is what code relies on. */
export function createContainerStore(dir: string): RecordStore<ContainerRecord> {
  return new RecordStore<ContainerRecord>({
    dir,
    kind: 'container',
    schemaVersion: SCHEMA,
    durable: true,
    parse: parseRecord,
  });
}

function parseRecord(value: unknown): ContainerRecord {
  const record = value as ContainerRecord;
  const sound =
    typeof record === 'object' &&
    record !== null &&
    typeof record.id === 'string' &&
    typeof record.name === 'string' &&
    typeof record.createdAt === 'string' &&
    typeof record.runtime === 'string' &&
    typeof record.options === 'object' &&
    record.options !== null &&
    Number.isInteger(record.runs) &&
    STATUSES.has(record.status);
  if (!sound) throw engineError('BUG', 'a container record lacks fields that every version writes');
  return record;
}
