import { defineReasons } from './define.js';

export const GENERAL_REASONS = defineReasons({
  BAD_OPTION: { code: 'INVALID_ARGUMENT', remedy: 'correct the named option' },
  UNKNOWN_OPTION: { code: 'INVALID_ARGUMENT', remedy: 'remove or rename the option; the types list those that exist' },
  CONFLICTING_OPTIONS: { code: 'INVALID_ARGUMENT', remedy: 'give only one of the named options' },
  BAD_NAME: {
    code: 'INVALID_ARGUMENT',
    remedy: 'use 1 to 128 characters of a-z A-Z 0-9 _ . - that start with a letter or digit',
  },
  CANCELED: { code: 'CANCELED', remedy: 'the signal given to the call was aborted; call again if that was not meant' },
  TIMED_OUT: { code: 'DEADLINE_EXCEEDED', remedy: 'raise the time limit or find out what is slow' },
  CLOSED: { code: 'FAILED_PRECONDITION', remedy: 'open it again; a closed one takes no calls' },
  NOT_BUILT_YET: { code: 'NOT_IMPLEMENTED', remedy: 'the README lists what exists; this does not yet' },
  UNSUPPORTED_HOST: {
    code: 'NOT_IMPLEMENTED',
    remedy: 'use a host or kernel that has the named feature; engine.doctor() lists what is missing',
  },
  TOOL_FAILED: {
    code: 'INTERNAL',
    remedy: 'see details.argv, details.exitCode and details.stderr for what the tool said',
  },
  TOOL_MISSING: { code: 'FAILED_PRECONDITION', remedy: 'install the named program or give its path in the options' },
  SYSCALL_FAILED: { code: 'INTERNAL', remedy: 'see details.errno for what the kernel said' },
  NOT_PERMITTED: { code: 'PERMISSION_DENIED', remedy: 'run as root or with the named capability' },
  DISK_FULL: { code: 'RESOURCE_EXHAUSTED', remedy: 'free space on the named file system; nothing half-made was kept' },
  BUG: { code: 'INTERNAL', remedy: 'this should not happen; please report it with the error details' },
});
