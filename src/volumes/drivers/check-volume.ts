import { posix } from 'node:path';
import { quote } from '../../errors/index.js';
import { SAFE_NAME } from '../../util/ids.js';
import type { DriverVolume } from '../volume-driver.js';
import { badAnswer, type DriverCall } from './driver-error.js';

const MAX_PATH_BYTES = 4096;
const MAX_STATUS_BYTES = 256 << 10;

/** What is wrong with the text of a mountpoint; undefined: nothing. */
export function mountpointFault(mountpoint: unknown): string | undefined {
  if (typeof mountpoint !== 'string') return 'is no text';
  if (!mountpoint.startsWith('/')) return 'is not absolute';
  if (mountpoint.includes('\0')) return 'has a zero byte';
  if (Buffer.byteLength(mountpoint) >= MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES - 1} bytes`;
  if (mountpoint.split('/').includes('..')) return 'goes up with ..';
  if (plainPath(mountpoint) === '/') return 'is the root of the host';
  return undefined;
}

/** The path without `.`, doubled slashes and a slash at its end. */
export function plainPath(path: string): string {
  const plain = posix.normalize(path);
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

/** A driver's volume, its parts checked; those of no use are left out with a word to `warn`. */
export function checkVolume(
  call: DriverCall,
  answer: unknown,
  warn: (volume: string, message: string) => void,
): DriverVolume | undefined {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw badAnswer(call, `${quote(answer)} instead of a volume`);
  }
  const { name, mountpoint, createdAt, status } = answer as Record<keyof DriverVolume, unknown>;
  if (typeof name !== 'string' || !SAFE_NAME.test(name)) {
    warn('', `a volume with the name ${quote(name)} was left out: it is not a valid name`);
    return undefined;
  }
  const volume: { -readonly [K in keyof DriverVolume]: DriverVolume[K] } = { name };
  if (mountpoint !== undefined && mountpoint !== null && mountpoint !== '') {
    const fault = mountpointFault(mountpoint);
    if (fault === undefined) volume.mountpoint = plainPath(mountpoint as string);
    else warn(name, `its mountpoint ${quote(mountpoint)} was left out: it ${fault}`);
  }
  if (createdAt !== undefined && createdAt !== null) {
    if (createdAt instanceof Date && !Number.isNaN(createdAt.getTime())) volume.createdAt = new Date(createdAt);
    else warn(name, `its creation time ${quote(createdAt)} was left out: it is no Date`);
  }
  if (status !== undefined && status !== null) {
    const copy = copyStatus(status);
    if (copy !== undefined) volume.status = copy;
    else warn(name, 'its status was left out: it is no object of JSON values, or too large');
  }
  return volume;
}

/** A copy through JSON: what the driver keeps changing, or what has getters, does not reach the caller. */
function copyStatus(status: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof status !== 'object' || Array.isArray(status)) return undefined;
  try {
    const text = JSON.stringify(status);
    if (text === undefined || Buffer.byteLength(text) > MAX_STATUS_BYTES) return undefined;
    const copy: unknown = JSON.parse(text);
    return typeof copy === 'object' && copy !== null ? (copy as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** All volumes that a driver lists, each name once. */
export function checkVolumes(
  call: DriverCall,
  answer: unknown,
  warn: (volume: string, message: string) => void,
): DriverVolume[] {
  if (!Array.isArray(answer)) throw badAnswer(call, `${quote(answer)} instead of an array of volumes`);
  const volumes = new Map<string, DriverVolume>();
  for (const item of answer as unknown[]) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      warn('', `an entry ${quote(item)} was left out: it is no volume`);
      continue;
    }
    const volume = checkVolume(call, item, warn);
    if (volume === undefined) continue;
    if (volumes.has(volume.name)) warn(volume.name, 'it is listed twice');
    else volumes.set(volume.name, volume);
  }
  return [...volumes.values()];
}
