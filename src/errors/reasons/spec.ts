import { defineReasons } from './define.js';

export const SPEC_REASONS = defineReasons({
  BAD_USER: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give a user as name, uid, name:group or uid:gid, with numbers from 0 to 2147483647',
  },
  UNKNOWN_USER: {
    code: 'INVALID_ARGUMENT',
    remedy: "name a user of the image's own /etc/passwd (or /etc/group), or give a numeric uid:gid",
  },
  NO_COMMAND: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give a command, or use an image whose config has an Entrypoint or Cmd',
  },
  BAD_WORKING_DIR: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give an absolute path inside the container that is no symbolic link out of it and not under /proc or /sys',
  },
  BAD_MOUNT_TARGET: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give an absolute, normal path that is not / and not at or under /proc or /sys',
  },
  DUPLICATE_MOUNT_TARGET: { code: 'INVALID_ARGUMENT', remedy: 'mount each target once' },
  BAD_MOUNT_SOURCE: { code: 'INVALID_ARGUMENT', remedy: 'give an absolute host path that exists' },
  BAD_MOUNT_OPTION: { code: 'INVALID_ARGUMENT', remedy: 'use one of the options that the message lists' },
  BAD_CAPABILITY: {
    code: 'INVALID_ARGUMENT',
    remedy: 'use a capability name of capabilities(7) that this kernel knows, or ALL',
  },
  BAD_SECCOMP_PROFILE: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give "default", "unconfined" or a profile object in the format of Docker or the OCI runtime spec',
  },
  BAD_ENV: { code: 'INVALID_ARGUMENT', remedy: 'give environment entries as NAME=value with no NUL byte' },
  BAD_LIMIT: { code: 'INVALID_ARGUMENT', remedy: 'give a whole number within the range that the message names' },
  BAD_ULIMIT: { code: 'INVALID_ARGUMENT', remedy: 'use a name of getrlimit(2) in lower case and soft not above hard' },
  BAD_SYSCTL: { code: 'INVALID_ARGUMENT', remedy: "only sysctls of the container's own namespaces may be set" },
  BAD_DEVICE: { code: 'INVALID_ARGUMENT', remedy: 'give an existing device node and permissions made of r, w and m' },
  BAD_NAMESPACE_MODE: { code: 'INVALID_ARGUMENT', remedy: 'use one of the modes that the message lists' },
  BAD_LABEL: { code: 'INVALID_ARGUMENT', remedy: 'give labels as strings with a key that is not empty' },
  BAD_ANNOTATION: {
    code: 'INVALID_ARGUMENT',
    remedy: 'use a key of your own domain; those that steer runtimes, supervisors or hooks are kept for the engine',
  },
  BAD_HOSTNAME: {
    code: 'INVALID_ARGUMENT',
    remedy: 'use at most 63 characters of a-z A-Z 0-9 and - (dots between labels)',
  },
  BAD_SIGNAL: { code: 'INVALID_ARGUMENT', remedy: 'give a signal name such as SIGTERM or a number from 1 to 64' },
  HOSTILE_ROOTFS: {
    code: 'FAILED_PRECONDITION',
    remedy: 'the image has a symbolic link or special file where the runtime needs a real directory; do not run it',
  },
});
