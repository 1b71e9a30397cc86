import type { ContainerRecord } from '../record.js';

/** What events of a durable container say beside its id. */
export function containerAttributes(record: ContainerRecord): Record<string, string> {
  return {
    ...record.options.labels,
    name: record.name,
    ...(record.image !== undefined && { image: record.image.reference }),
  };
}
