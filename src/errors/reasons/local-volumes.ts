import { defineReasons } from './define.js';

export const LOCAL_VOLUME_REASONS = defineReasons({
  LOCAL_VOLUME_BAD_NAME: {
    code: 'INVALID_ARGUMENT',
    remedy:
      'use 2 to 128 characters of a-z A-Z 0-9 _ . - that start with a letter or digit; to mount a directory of the host give its absolute path',
  },
  LOCAL_VOLUME_BAD_OPTION: {
    code: 'INVALID_ARGUMENT',
    remedy: 'correct the named option; the local driver knows type, device, o and size',
  },
  LOCAL_VOLUME_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'create the volume first; list shows those that exist' },
  LOCAL_VOLUME_EXISTS: {
    code: 'CONFLICT',
    remedy: 'the volume exists with other options (details.keys); remove it first or use another name',
  },
  LOCAL_VOLUME_IN_USE: { code: 'CONFLICT', remedy: 'unmount it for the holders that details.holders lists' },
  LOCAL_VOLUME_HAS_MOUNTS: {
    code: 'CONFLICT',
    remedy: 'unmount what the host has mounted there (details.mounts); it would be deleted with the volume',
  },
  LOCAL_VOLUME_DAMAGED: {
    code: 'DATA_LOSS',
    remedy:
      'its data was not touched; put a good opts.json back (details.quarantine is the damaged one), or remove the volume',
  },
  LOCAL_VOLUME_UNSAFE: {
    code: 'FAILED_PRECONDITION',
    remedy: 'what lies in the place of the volume is not what the driver made; look at it and move it away',
  },
  LOCAL_VOLUME_MOUNT_FAILED: {
    code: 'FAILED_PRECONDITION',
    remedy: 'check type, device and o of the volume; details.errno is what the kernel said',
  },
  LOCAL_VOLUME_MOUNT_PENDING: {
    code: 'UNAVAILABLE',
    remedy:
      'a process waits for the server or disk of the volume and can not be killed; try again when that answers, or is taken away',
  },
  LOCAL_VOLUME_UNKNOWN_HOST: {
    code: 'UNAVAILABLE',
    remedy: 'the host name in o or device was not resolved; check it and the name service, then try again',
  },
  LOCAL_VOLUME_NO_QUOTA: {
    code: 'NOT_IMPLEMENTED',
    remedy: 'leave size away, or keep volumes on XFS or ext4 mounted with prjquota',
  },
});
