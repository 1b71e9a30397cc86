import { defineReasons } from './define.js';

export const ENGINE_REASONS = defineReasons({
  NO_CGROUPS: { code: 'FAILED_PRECONDITION', remedy: 'mount cgroups (v1 or v2) before opening an engine' },
  NO_SNAPSHOTTER: { code: 'FAILED_PRECONDITION', remedy: 'name a snapshotter that works here: overlay or vfs' },
  SWEEPER_FAILED: {
    code: 'INTERNAL',
    remedy: 'the process that cleans up after a dead host could not be started; see details',
  },
});
