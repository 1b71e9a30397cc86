import { SAFE_NAME } from '../util/ids.js';
import { MAX_ID } from './account-files.js';
import { PROPAGATIONS } from './bind-string.js';
import { type Check, checkBoolean, integer, map, oneOf, plainObject, text } from './check.js';
import { checkRecord, type RecordChecks, recordChecks } from './check-record.js';
import type { DeviceOptions, MountOptions } from './container-options.js';
import { checkDevicePath, DEVICE_PERMISSIONS } from './devices.js';
import { badField } from './fail.js';
import { checkSubpath } from './subpath.js';

const keep: Check = (_field, value) => value;
const hostPath = text({ max: 4095, reason: 'BAD_MOUNT_SOURCE', pattern: /^\//, why: 'is not an absolute host path' });
const id = integer(0, MAX_ID);
const labelKey = text({ max: 4096, reason: 'BAD_LABEL' });
const labelValue = text({ max: 1 << 20, reason: 'BAD_LABEL', allowEmpty: true });
const optionValue = text({ max: 1 << 20, reason: 'BAD_MOUNT_OPTION', allowEmpty: true });

/** A driver's name: plugins have slashes and tags in theirs. */
export const checkDriverName: Check<string> = text({
  max: 255,
  reason: 'BAD_MOUNT_OPTION',
  pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.:@/-]*$/,
  why: 'is no name of a volume driver',
});

const BIND = recordChecks({
  type: keep,
  source: hostPath,
  target: keep,
  readOnly: checkBoolean,
  propagation: oneOf([...PROPAGATIONS], 'BAD_MOUNT_OPTION'),
  nonRecursive: checkBoolean,
  createSource: checkBoolean,
});
const TMPFS = recordChecks({
  type: keep,
  target: keep,
  sizeBytes: integer(4096, Number.MAX_SAFE_INTEGER),
  mode: integer(0, 0o7777),
  uid: id,
  gid: id,
  exec: checkBoolean,
  readOnly: checkBoolean,
});
const VOLUME = recordChecks({
  type: keep,
  source: text({
    max: 128,
    reason: 'BAD_MOUNT_SOURCE',
    pattern: new RegExp(`${SAFE_NAME.source}|^$`),
    why: 'is no volume name',
    allowEmpty: true,
  }),
  target: keep,
  readOnly: checkBoolean,
  noCopy: checkBoolean,
  subpath: checkSubpath,
  driver: checkDriverName,
  driverOptions: map(text({ max: 4096, reason: 'BAD_MOUNT_OPTION' }), optionValue),
  labels: map(labelKey, labelValue),
});
const KINDS = new Map<unknown, readonly [RecordChecks, readonly string[]]>([
  ['bind', [BIND, ['source', 'target']]],
  ['tmpfs', [TMPFS, ['target']]],
  ['volume', [VOLUME, ['target']]],
]);

const DEVICE = recordChecks({
  pathOnHost: text({ max: 4095, reason: 'BAD_DEVICE', pattern: /^\//, why: 'is not an absolute path' }),
  pathInContainer: checkDevicePath,
  permissions: text({
    reason: 'BAD_DEVICE',
    pattern: DEVICE_PERMISSIONS,
    why: 'is not made of r, w and m, each once',
  }),
});

/** One entry of `mounts`; targets are checked by `collectMounts`, all together. */
export function checkMount(field: string, value: unknown): MountOptions {
  const type = plainObject(field, value).type;
  const kind = KINDS.get(type);
  if (kind === undefined) {
    throw badField('BAD_MOUNT_OPTION', `${field}.type`, type, `is not one of ${[...KINDS.keys()].join(', ')}`);
  }
  const mount = checkRecord(kind[0], value, field, kind[1]) as unknown as MountOptions;
  if (mount.type === 'volume' && mount.subpath !== undefined && !mount.source) {
    throw badField('BAD_SUBPATH', `${field}.subpath`, mount.subpath, 'is of an anonymous volume, which is empty');
  }
  return mount;
}

export function checkDevice(field: string, value: unknown): DeviceOptions {
  return checkRecord(DEVICE, value, field, ['pathOnHost']) as unknown as DeviceOptions;
}
