import { defineReasons } from './define.js';

export const CONTAINER_REASONS = defineReasons({
  CONTAINER_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'containers.list({ all: true }) shows what exists' },
  CONTAINER_EPHEMERAL: {
    code: 'NOT_FOUND',
    remedy: 'use the handle that containers.ephemeral gave; no other process has one',
  },
  NO_STDIN: { code: 'FAILED_PRECONDITION', remedy: 'create the container with openStdin: true' },
  CONTAINER_RUNNING: { code: 'FAILED_PRECONDITION', remedy: 'stop the container first, or pass force' },
  CONTAINER_NOT_RUNNING: {
    code: 'FAILED_PRECONDITION',
    remedy: 'start the container first; a throwaway one runs once, make another',
  },
  CONTAINER_BAD_STATUS: {
    code: 'FAILED_PRECONDITION',
    remedy: "the container's status does not allow this; details.status says what it is",
  },
  OUTPUT_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    remedy: 'raise maxOutputBytes or read the streams instead of collecting',
  },
  INPUT_FAILED: { code: 'ABORTED', remedy: 'the stream given as input failed, see cause; call again with a good one' },
  SCOPE_CLEANUP_FAILED: {
    code: 'INTERNAL',
    remedy: 'details.cleanup lists why; the next open of the root tries again',
  },
  NON_ZERO_EXIT: { code: 'FAILED_PRECONDITION', remedy: 'details carry the exit code and the end of the output' },
});
