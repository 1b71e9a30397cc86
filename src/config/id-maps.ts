import { readFileSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { badOption } from './checks.js';
import type { IdMapOptions } from './engine-options.js';
import type { IdRange, ResolvedIdMaps } from './resolved-config.js';

const MAX_ID = 2 ** 32 - 2;

/** Files that name users and their subordinate ids; replaceable for tests. */
export interface IdFiles {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

export const SYSTEM_ID_FILES: IdFiles = {
  passwd: '/etc/passwd',
  group: '/etc/group',
  subuid: '/etc/subuid',
  subgid: '/etc/subgid',
};

/**
 * The id maps of a user and group: container ids from 0 up, laid over their subordinate ranges in file order.
 * Parsing is strict, because a wrong map hands host files to containers: a malformed line, a range that reaches beyond
 * 2^32 - 2, that includes id 0, or that overlaps another one is refused.
 */
export function resolveIdMaps(owner: IdMapOptions, files: IdFiles = SYSTEM_ID_FILES): ResolvedIdMaps {
  return {
    uids: rangesOf('idMaps.user', owner.user, files.subuid, files.passwd),
    gids: rangesOf('idMaps.group', owner.group ?? owner.user, files.subgid, files.group),
  };
}

function rangesOf(field: string, owner: string, path: string, namesPath: string): readonly IdRange[] {
  const names = namesOf(owner, namesPath);
  if (names === undefined) throw badOption(field, owner, `is not in ${namesPath}`);
  const mine = parseSubordinateIds(path).filter((range) => names.includes(range.owner));
  if (mine.length === 0) throw badOption(field, owner, `has no range in ${path}`);
  let next = 0;
  return mine.map(({ start, size }) => {
    const range = { containerId: next, hostId: start, size };
    next += size;
    return range;
  });
}

/** Both spellings of a user or group, name and number; `undefined` when the file does not have it. */
function namesOf(owner: string, path: string): readonly string[] | undefined {
  for (const line of readLines(path)) {
    const [name = '', , id = ''] = line.split(':');
    if (name === owner || id === owner) return [name, id];
  }
  return undefined;
}

interface SubordinateRange {
  readonly owner: string;
  readonly start: number;
  readonly size: number;
}

/** Parses a file in the format of subuid(5). */
export function parseSubordinateIds(path: string): SubordinateRange[] {
  const ranges: SubordinateRange[] = [];
  for (const [index, line] of readLines(path).entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([^:\s]+):(\d{1,10}):(\d{1,10})$/.exec(line);
    const [, owner = '', start, size] = match ?? [];
    const range = { owner, start: Number(start), size: Number(size) };
    if (match === null || range.start === 0 || range.size === 0 || range.start + range.size - 1 > MAX_ID) {
      throw badOption(`idMaps, line ${index + 1} of ${path}`, line, 'is not name:start:count with ids above 0');
    }
    const other = ranges.find((r) => range.start < r.start + r.size && r.start < range.start + range.size);
    if (other !== undefined) {
      throw badOption(`idMaps, line ${index + 1} of ${path}`, line, `overlaps a range of ${quote(other.owner)}`);
    }
    ranges.push(range);
  }
  return ranges;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (cause) {
    throw engineError('BAD_OPTION', `option idMaps needs ${quote(path)}, which can't be read`, {
      details: { field: 'idMaps', path },
      cause,
    });
  }
}
