import { isIP } from 'node:net';
import { engineError, quote } from '../errors/index.js';
import { assertSafeName, SAFE_NAME } from '../util/ids.js';
import { MAX_ID } from './account-files.js';
import { isSteeringAnnotation } from './annotations.js';
import { normalizeCapability } from './capabilities.js';
import { type Check, checkBoolean, integer, list, map, oneOf, plainObject, text } from './check.js';
import { checkRecord, recordChecks } from './check-record.js';
import { checkSignal } from './check-signal.js';
import { collectMounts } from './collect-mounts.js';
import type { ContainerOptions } from './container-options.js';
import { checkWorkingDir, normalContainerPath } from './container-path.js';
import { parseDeviceRule } from './devices.js';
import { envEntries, MAX_ARGUMENT_BYTES } from './environment.js';
import { badField } from './fail.js';
import { checkUser } from './resolve-user.js';
import { checkSeccompProfile } from './seccomp/check-profile.js';
import { sysctlNamespace } from './sysctls.js';
import { checkDevice, checkDriverName, checkMount } from './validate-mounts.js';
import { checkResourcesTogether, checkUlimit, RESOURCE_CHECKS } from './validate-resources.js';
import { parseVolumesFrom } from './volumes-from.js';

const HOSTNAME = /^(?=.{1,63}$)[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;
const hostname = text({ max: 63, reason: 'BAD_HOSTNAME', pattern: HOSTNAME, why: 'is not a host name' });
const argument = text({ max: MAX_ARGUMENT_BYTES, allowEmpty: true });
const anyText = text({ max: 1 << 20, allowEmpty: true });
const labelKey = text({ max: 4096, reason: 'BAD_LABEL' });
const labelValue = text({ max: 1 << 20, reason: 'BAD_LABEL', allowEmpty: true });
const containerPath: Check = (field, value) => normalContainerPath('BAD_OPTION', field, value);
const DAY_MS = 86_400_000;

const SIZE = recordChecks({ rows: integer(1, 65_535), columns: integer(1, 65_535) });
const DNS = recordChecks({
  servers: list(checkAddress, 32),
  search: list(text({ max: 255, pattern: /^(\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]*)?)$/, why: 'is not a domain name' }), 64),
  options: list(text({ max: 255, pattern: /^[a-z0-9:_-]+$/, why: 'is not an option of resolv.conf(5)' }), 64),
});

/** The check of each field that a caller may give. */
export const CONTAINER_CHECKS: Readonly<Record<keyof ContainerOptions, Check>> = {
  ...RESOURCE_CHECKS,
  image: text({ max: 4096 }),
  rootfs: text({ max: 4095, pattern: /^\//, why: 'is not an absolute host directory' }),
  name: (field, value) => {
    assertSafeName(field, value);
    return value;
  },
  command: list(argument, 100_000),
  entrypoint: list(argument, 100_000),
  env: checkEnv,
  workingDir: checkWorkingDir,
  user: checkUser,
  groups: list(checkGroup, 65_536),
  hostname,
  domainname: hostname,
  tty: checkBoolean,
  consoleSize: (field, value) => checkRecord(SIZE, value, field, ['rows', 'columns']),
  openStdin: checkBoolean,
  labels: map(labelKey, labelValue),
  annotations: map(checkAnnotationKey, anyText),
  readOnlyRootfs: checkBoolean,
  mounts: list(checkMount),
  binds: list(text({ max: 10_000, reason: 'BAD_MOUNT_SOURCE' })),
  volumesFrom: list((field, value) => {
    parseVolumesFrom(field, value);
    return value;
  }, 1000),
  volumeDriver: checkDriverName,
  tmpfs: map(text({ max: 4095, reason: 'BAD_MOUNT_TARGET' }), anyText),
  shmSizeBytes: integer(4096, Number.MAX_SAFE_INTEGER),
  capAdd: list(normalizeCapability),
  capDrop: list(normalizeCapability),
  privileged: checkBoolean,
  seccomp: checkSeccomp,
  maskedPaths: list(containerPath),
  readonlyPaths: list(containerPath),
  noNewPrivileges: checkBoolean,
  ulimits: list(checkUlimit),
  sysctls: checkSysctls,
  devices: list(checkDevice),
  deviceCgroupRules: list((field, value) => {
    parseDeviceRule(field, value);
    return value;
  }),
  oomScoreAdj: integer(-1000, 1000),
  init: checkBoolean,
  network: checkNetwork,
  pidMode: namespaceMode(['private', 'host'], true),
  ipcMode: namespaceMode(['private', 'host', 'none'], true),
  utsMode: namespaceMode(['private', 'host'], false),
  cgroupnsMode: namespaceMode(['private', 'host'], false),
  extraHosts: map(text({ max: 253, pattern: /^[a-zA-Z0-9_.-]+$/, why: 'is not a host name' }), checkAddress),
  dns: (field, value) => checkRecord(DNS, value, field),
  stopSignal: checkSignal,
  stopTimeoutMs: integer(0, 10 * DAY_MS),
  runtime: text({ max: 128, pattern: SAFE_NAME, why: 'is not a runtime name' }),
  platform: text({
    max: 128,
    pattern: /^[a-z0-9_]+\/[a-z0-9_]+(\/[a-z0-9_.]+)?$/,
    why: 'is not os/architecture[/variant]',
  }),
};

const FIELDS = recordChecks(CONTAINER_CHECKS);

/**
 * Checks what a caller asks of a container and gives a copy with normal forms: paths without doubled slashes, capabilities
 * as `CAP_X`, signals as `SIGX`, maps without prototype. Says nothing about the host: sources, devices and users may still
 * be missing there. Throws UNKNOWN_OPTION, CONFLICTING_OPTIONS or the INVALID_ARGUMENT reason of the field, with
 * `details.field`.
 */
export function validateContainerOptions(options: unknown): ContainerOptions {
  const checked = checkRecord(FIELDS, options, '') as ContainerOptions;
  checkTogether(checked);
  checkResourcesTogether(checked);
  if (checked.mounts !== undefined || checked.binds !== undefined || checked.tmpfs !== undefined)
    collectMounts(checked);
  return checked;
}

function checkTogether(options: ContainerOptions): void {
  if (options.image !== undefined && options.rootfs !== undefined) throw conflict('rootfs', options.rootfs, 'image');
  if (options.image === undefined && options.rootfs === undefined) {
    throw engineError('BAD_OPTION', 'field image is missing and so is rootfs', { details: { field: 'image' } });
  }
  if (options.utsMode === 'host') {
    if (options.hostname !== undefined) throw conflict('hostname', options.hostname, 'utsMode "host"');
    if (options.domainname !== undefined) throw conflict('domainname', options.domainname, 'utsMode "host"');
  }
  if (options.consoleSize !== undefined && options.tty !== true) {
    throw badField('BAD_OPTION', 'consoleSize', options.consoleSize, 'needs tty');
  }
  const names = new Set<string>();
  for (const [i, { name }] of (options.ulimits ?? []).entries()) {
    if (names.has(name)) throw badField('BAD_ULIMIT', `ulimits[${i}].name`, name, 'is given twice');
    names.add(name);
  }
}

function conflict(field: string, value: unknown, other: string) {
  return engineError('CONFLICTING_OPTIONS', `field ${field} ${quote(value)} stands beside ${other}`, {
    details: { field, value: quote(value), other },
  });
}

function checkEnv(field: string, value: unknown): readonly string[] {
  return envEntries(field, value).map(([name, entry]) => `${name}=${entry}`);
}

function checkGroup(field: string, value: unknown): string | number {
  if (typeof value === 'number') return integer(0, MAX_ID, 'BAD_USER')(field, value);
  const group = checkUser(field, value);
  if (group === '' || group.includes(':')) throw badField('BAD_USER', field, value, 'is not a group name or number');
  return group;
}

function checkAnnotationKey(field: string, value: unknown): string {
  const key = text({ max: 4096, reason: 'BAD_ANNOTATION' })(field, value);
  if (isSteeringAnnotation(key)) throw badField('BAD_ANNOTATION', field, key, 'steers a runtime or supervisor');
  return key;
}

function checkSeccomp(field: string, value: unknown): unknown {
  if (value === 'default' || value === 'unconfined') return value;
  checkSeccompProfile(value, field);
  // A profile is JSON by now: the copy is not touched by what the caller does to theirs.
  return JSON.parse(JSON.stringify(value));
}

function checkSysctls(field: string, value: unknown): Record<string, string> {
  const checkValue = text({ max: 4096, reason: 'BAD_SYSCTL', pattern: /^[^\n\r]*$/, why: 'has a line break' });
  const copy: Record<string, string> = Object.create(null);
  for (const [name, entry] of Object.entries(plainObject(field, value))) {
    const at = `${field}[${JSON.stringify(name.slice(0, 64))}]`;
    sysctlNamespace(at, name);
    copy[name] = checkValue(at, entry);
  }
  return copy;
}

function checkAddress(field: string, value: unknown): string {
  if (typeof value === 'string' && isIP(value) !== 0 && !value.includes('%')) return value;
  throw badField('BAD_OPTION', field, value, 'is not an IP address');
}

function checkNetwork(field: string, value: unknown): string {
  if (typeof value === 'string') {
    if (value.startsWith('container:') && SAFE_NAME.test(value.slice(10))) return value;
    if (SAFE_NAME.test(value)) return value;
  }
  throw badField('BAD_NAMESPACE_MODE', field, value, 'is not none, host, container:<id> or a network name');
}

function namespaceMode(words: readonly string[], joinable: boolean): Check<string> {
  const check = oneOf(joinable ? [...words, 'container:<id>'] : words, 'BAD_NAMESPACE_MODE');
  return (field, value) => {
    if (joinable && typeof value === 'string' && value.startsWith('container:') && SAFE_NAME.test(value.slice(10))) {
      return value;
    }
    if (value === 'container:<id>') throw badField('BAD_NAMESPACE_MODE', field, value, 'names no container');
    return check(field, value);
  };
}
