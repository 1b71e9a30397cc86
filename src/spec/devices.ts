import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { DeviceOptions } from './container-options.js';
import { isAtOrUnder, isDefaultDevice, normalContainerPath } from './container-path.js';
import { badField } from './fail.js';
import type { OciDeviceRule, OciSpec } from './oci-types.js';

/** A host node with what the container may do with it. */
export interface ResolvedDevice {
  readonly path: string;
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** Letters of `r`, `w`, `m`. */
  readonly permissions: string;
}

/** Directories of /dev that are file systems of their own or private to the host. */
const NOT_DEVICES = new Set(['.lxc', '.lxd-mounts', '.udev', 'char', 'block', 'console', 'fd', 'mqueue', 'pts', 'shm']);
const MAX_DEPTH = 8;

/** `rwm` in any order, each once. */
export const DEVICE_PERMISSIONS: RegExp = /^(?!.*(.).*\1)[rwm]{1,3}$/;
const RULE = /^([abc]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})$/;

/** Looks the asked devices up on the host; a directory gives all devices below it. Throws BAD_DEVICE. */
export function resolveDevices(devices: readonly DeviceOptions[] | undefined): ResolvedDevice[] {
  return (devices ?? []).flatMap((device, i) => resolveDevice(`devices[${i}]`, device));
}

/** Every device node of the host's /dev, for privileged containers, without those that a container has of its own. */
export function listHostDevices(): ResolvedDevice[] {
  return walk('/dev', '/dev', 'rwm', 0).filter((device) => !isDefaultDevice(device.path));
}

/** Checks a device's path in the container, BAD_DEVICE. */
export function checkDevicePath(field: string, path: unknown): string {
  const normal = normalContainerPath('BAD_DEVICE', field, path);
  if (normal === '/' || normal === '/dev' || isAtOrUnder(normal, '/proc') || isAtOrUnder(normal, '/sys')) {
    throw badField('BAD_DEVICE', field, path, 'is no place for a device');
  }
  return normal;
}

/** Parses Docker's device cgroup rule `c 1:3 rwm`. Throws BAD_DEVICE. */
export function parseDeviceRule(field: string, text: unknown): OciDeviceRule {
  const match = typeof text === 'string' ? RULE.exec(text) : null;
  if (match === null) throw badField('BAD_DEVICE', field, text, 'is not a rule such as "c 1:3 rwm"');
  const [, type, major, minor, access] = match as unknown as [string, string, string, string, string];
  return { allow: true, type, ...number('major', major), ...number('minor', minor), access };
}

/** The device nodes for the spec: the runtime adds the default ones itself. */
export function buildDevices(devices: readonly ResolvedDevice[]): NonNullable<OciSpec['linux']['devices']> {
  return devices
    .filter((device) => !isDefaultDevice(device.path))
    .map(({ permissions: _permissions, ...node }) => ({ ...node }));
}

/** Nothing, then the default nodes, any mknod, the asked devices and rules; everything for a privileged container. */
export function buildDeviceRules(
  devices: readonly ResolvedDevice[],
  rules: readonly string[] | undefined,
  privileged: boolean,
): OciDeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    ...DEFAULT_RULES.map((rule) => ({ ...rule })),
    ...devices.map(({ type, major, minor, permissions }) => ({ allow: true, type, major, minor, access: permissions })),
    ...(rules ?? []).map((text, i) => parseDeviceRule(`deviceCgroupRules[${i}]`, text)),
  ];
}

const character = (major: number, minor?: number): OciDeviceRule => ({
  allow: true,
  type: 'c',
  major,
  ...(minor === undefined ? {} : { minor }),
  access: 'rwm',
});

const DEFAULT_RULES: readonly OciDeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[3, 5, 7, 8, 9].map((minor) => character(1, minor)), // null, zero, full, random, urandom
  ...[0, 1, 2].map((minor) => character(5, minor)), // tty, console, ptmx
  character(136), // pts
];

function resolveDevice(field: string, device: DeviceOptions): ResolvedDevice[] {
  const permissions = device.permissions ?? 'rwm';
  const target = checkDevicePath(`${field}.pathInContainer`, device.pathInContainer ?? device.pathOnHost);
  let stat: BigIntStats;
  try {
    stat = statSync(device.pathOnHost, { bigint: true });
  } catch (cause) {
    throw badField('BAD_DEVICE', `${field}.pathOnHost`, device.pathOnHost, 'does not exist on the host', cause);
  }
  const found = stat.isDirectory()
    ? walk(device.pathOnHost, target, permissions, 0)
    : fromStat(target, stat, permissions);
  if (found.length === 0) throw badField('BAD_DEVICE', `${field}.pathOnHost`, device.pathOnHost, 'is no device node');
  const replaced = found.find((each) => isDefaultDevice(each.path) && !sameDevice(each));
  if (replaced !== undefined) {
    throw badField('BAD_DEVICE', `${field}.pathInContainer`, replaced.path, 'is a device that every container has');
  }
  return found;
}

function walk(directory: string, target: string, permissions: string, depth: number): ResolvedDevice[] {
  if (depth > MAX_DEPTH) return [];
  return readdirSync(directory).flatMap((name) => {
    if (directory === '/dev' && NOT_DEVICES.has(name)) return [];
    const path = posix.join(directory, name);
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.isSymbolicLink()) return [];
    const inside = posix.join(target, name);
    return stat.isDirectory() ? walk(path, inside, permissions, depth + 1) : fromStat(inside, stat, permissions);
  });
}

function fromStat(path: string, stat: BigIntStats, permissions: string): ResolvedDevice[] {
  if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return [];
  const type = stat.isBlockDevice() ? 'b' : 'c';
  const fileMode = Number(stat.mode & 0o7777n);
  return [
    { path, type, ...deviceNumber(stat.rdev), fileMode, uid: Number(stat.uid), gid: Number(stat.gid), permissions },
  ];
}

/** Splits st_rdev as glibc does. */
export function deviceNumber(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

function sameDevice(device: ResolvedDevice): boolean {
  const stat = statSync(device.path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return false;
  const { major, minor } = deviceNumber(stat.rdev);
  return major === device.major && minor === device.minor;
}

function number<K extends string>(key: K, text: string): { [P in K]?: number } {
  return text === '*' ? {} : ({ [key]: Number(text) } as { [P in K]: number });
}
