import { defineReasons } from './define.js';

export const VOLUME_REASONS = defineReasons({
  VOLUME_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'create it first; volumes.list() shows what exists' },
  VOLUME_EXISTS: { code: 'ALREADY_EXISTS', remedy: 'choose another name, or pass ifExists: "return-if-equal"' },
  VOLUME_CONFLICT: {
    code: 'CONFLICT',
    remedy: 'details.differs lists what differs; ask for the same, choose another name, or pass ifExists: "return"',
  },
  VOLUME_IN_USE: { code: 'CONFLICT', remedy: 'remove or release the holders that details.holders lists' },
  VOLUME_HOLDER_TAKEN: {
    code: 'CONFLICT',
    remedy: 'a living process holds the volume by this id; each holder needs an id of its own',
  },
  VOLUME_BUSY: {
    code: 'UNAVAILABLE',
    remedy: 'the process that details.owner names is still at work on it; retry later or end that process',
  },
  VOLUME_LOST: {
    code: 'CONFLICT',
    remedy: 'its driver has it no more but holders need it; release those that details.holders lists, or forget it',
  },
});
