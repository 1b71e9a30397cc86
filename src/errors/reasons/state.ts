import { defineReasons } from './define.js';

export const STATE_REASONS = defineReasons({
  ROOT_UNREADABLE: {
    code: 'PERMISSION_DENIED',
    remedy: 'give a root directory that this user owns and may read and write',
  },
  ROOT_NOT_OURS: {
    code: 'PERMISSION_DENIED',
    remedy: 'the directory must be a real directory owned by the user that opens it; choose another root',
  },
  ROOT_NEWER_SCHEMA: {
    code: 'FAILED_PRECONDITION',
    remedy: 'open it with the version of caisson that wrote it, or choose another root',
  },
  RECORD_CORRUPT: {
    code: 'DATA_LOSS',
    remedy:
      'the file was moved aside (details.quarantine) and nothing else was touched; restore it or remove the object',
  },
  RECORD_NOT_FOUND: {
    code: 'NOT_FOUND',
    remedy: 'list what exists; the id or name may be mistyped or removed meanwhile',
  },
  RECORD_EXISTS: { code: 'ALREADY_EXISTS', remedy: 'use another id, or change the record that exists' },
  RECORD_UNKNOWN_FORMAT: {
    code: 'DATA_LOSS',
    remedy:
      'the file is whole and was left as it is; open the root with the version that wrote it or remove the object',
  },
  NAME_TAKEN: { code: 'ALREADY_EXISTS', remedy: 'choose another name or remove the holder that details.holder names' },
  AMBIGUOUS_ID: { code: 'CONFLICT', remedy: 'give more characters of the id; details.matches lists the candidates' },
  LOCK_TIMEOUT: {
    code: 'DEADLINE_EXCEEDED',
    remedy: 'another process works on the same object (details.holder); wait for it or raise the limit',
  },
  LOCK_UNSUPPORTED: { code: 'NOT_IMPLEMENTED', remedy: 'put the root on a local file system that supports flock' },
  LOCK_LOST: {
    code: 'ABORTED',
    remedy: 'something removed the lock while it was held; read the state again and retry the whole operation',
  },
  GENERATION_CONFLICT: {
    code: 'ABORTED',
    remedy: 'another process changed the record meanwhile; read it again and retry',
  },
});
