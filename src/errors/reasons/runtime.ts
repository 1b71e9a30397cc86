import { defineReasons } from './define.js';

export const RUNTIME_REASONS = defineReasons({
  RUNTIME_MISSING: {
    code: 'FAILED_PRECONDITION',
    remedy: 'install runc or crun, or give the path in options.runtimes',
  },
  RUNTIME_TOO_OLD: {
    code: 'FAILED_PRECONDITION',
    remedy: 'install a version not below the one that the message names',
  },
  RUNTIME_BROKEN: {
    code: 'FAILED_PRECONDITION',
    remedy: 'the runtime does not answer --version; reinstall it or name another',
  },
  RUNTIME_FAILED: { code: 'INTERNAL', remedy: "the runtime's own message says what it could not do" },
  RUNTIME_UNFIT: {
    code: 'FAILED_PRECONDITION',
    remedy: "use the other runtime; engine.doctor() says why this one can't run here",
  },
  UNKNOWN_RUNTIME: { code: 'INVALID_ARGUMENT', remedy: 'name one of the configured runtimes' },
  COMMAND_NOT_FOUND: {
    code: 'INVALID_ARGUMENT',
    remedy: 'the executable is not in the container (exit status 127); check the command and PATH',
  },
  COMMAND_NOT_EXECUTABLE: {
    code: 'INVALID_ARGUMENT',
    remedy: 'the file is there but cannot be run (exit status 126); check its mode and format',
  },
  SUPERVISOR_MISSING: {
    code: 'FAILED_PRECONDITION',
    remedy: 'install conmon or containerd (for containerd-shim-runc-v2); durable containers need one',
  },
  SUPERVISOR_FAILED: { code: 'INTERNAL', remedy: "the supervisor's own message says what it could not do" },
  STDIN_CLOSED: {
    code: 'FAILED_PRECONDITION',
    remedy: 'the container was created without stdin, or its stdin was ended, or it has exited',
  },
  SUPERVISOR_GONE: {
    code: 'UNAVAILABLE',
    remedy: 'the supervisor died; the next open of the root reconciles the container',
  },
  SNAPSHOT_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'the snapshot is gone; import the image again' },
  SNAPSHOT_EXISTS: { code: 'ALREADY_EXISTS', remedy: 'use another key or remove the snapshot' },
  SNAPSHOT_IN_USE: { code: 'CONFLICT', remedy: 'remove the snapshots built on it (details.children) first' },
  MOUNT_FAILED: { code: 'INTERNAL', remedy: 'see details.errno; engine.doctor() checks overlay support' },
  TTRPC_FAILED: { code: 'UNAVAILABLE', remedy: 'the shim did not answer as its protocol says; see details' },
  BAD_SNAPSHOT_KEY: {
    code: 'INVALID_ARGUMENT',
    remedy: 'use 1 to 200 characters of a-z A-Z 0-9 _ . : - that start with a letter or digit',
  },
  SNAPSHOT_READ_ONLY: { code: 'FAILED_PRECONDITION', remedy: 'prepare a writable snapshot on the same parent' },
  SNAPSHOT_NOT_COMMITTABLE: {
    code: 'FAILED_PRECONDITION',
    remedy: 'it is built on a host directory, which no layer records; import that directory as an image first',
  },
  SNAPSHOT_CORRUPT: {
    code: 'DATA_LOSS',
    remedy: 'remove the snapshot and make it again: import the image or recreate the container',
  },
  SNAPSHOT_MOUNTED: { code: 'CONFLICT', remedy: 'unmount what details.mountPoints lists first' },
  SNAPSHOT_FAILED: { code: 'INTERNAL', remedy: 'see details.errno for what the file system said' },
});
