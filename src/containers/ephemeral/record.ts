import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isAlive, type ProcessIdentity } from '../../os/index.js';
import type { UserMount } from '../../spec/index.js';

/** What other processes can know of a throwaway container: `<session>/c/<id>/record.json`, not synced. */
export interface EphemeralRecord {
  readonly id: string;
  readonly name: string | undefined;
  readonly createdAt: string;
  readonly image: string | undefined;
  readonly imageId: string | undefined;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly UserMount[];
  readonly owner: ProcessIdentity;
}

/** All throwaway containers of the root whose owner lives, from the session directories. */
export function listEphemeralRecords(sessionsDir: string): EphemeralRecord[] {
  const found: EphemeralRecord[] = [];
  for (const session of readdirSync(sessionsDir)) {
    for (const id of namesIn(`${sessionsDir}/${session}/c`)) {
      const record = readRecord(`${sessionsDir}/${session}/c/${id}/record.json`);
      if (record !== undefined && isAlive(record.owner)) found.push(record);
    }
  }
  return found;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** A record may vanish or be half-written while we look: then the container is not (or no longer) there. */
function readRecord(path: string): EphemeralRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as EphemeralRecord;
    return typeof record.id === 'string' && typeof record.owner?.pid === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** True while a live host has, makes or removes the throwaway container: it is on its session's list from first to last. */
export function isEphemeralKnown(sessionsDir: string, id: string): boolean {
  return namesIn(sessionsDir).some(
    (session) =>
      existsSync(`${sessionsDir}/${session}/c/${id}`) && hasLiveOwner(`${sessionsDir}/${session}/owner.json`),
  );
}

function hasLiveOwner(path: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity);
  } catch {
    return false;
  }
}

/** Directory of a throwaway container by id, in whatever session it is. */
export function ephemeralDir(sessionsDir: string, id: string): string | undefined {
  for (const session of readdirSync(sessionsDir)) {
    const dir = `${sessionsDir}/${session}/c/${id}`;
    if (existsSync(dir)) return dir;
  }
  return undefined;
}
