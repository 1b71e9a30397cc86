import { defineReasons } from './define.js';

export const VOLUME_DRIVER_REASONS = defineReasons({
  DRIVER_NOT_FOUND: {
    code: 'NOT_FOUND',
    remedy: 'register the driver, or start its plugin where plugins are looked for; drivers.list() shows what there is',
  },
  DRIVER_EXISTS: { code: 'ALREADY_EXISTS', remedy: 'unregister the driver of that name first, or use another name' },
  BAD_DRIVER: { code: 'INVALID_ARGUMENT', remedy: 'give an object with the members that VolumeDriver lists' },
  BAD_DRIVER_NAME: {
    code: 'INVALID_ARGUMENT',
    remedy: 'write a name as drivers.list() shows it: parts of a-z A-Z 0-9 _ . - with / between, :tag at the end',
  },
  DRIVER_IN_USE: { code: 'CONFLICT', remedy: 'release the leases of details.holders first, or pass force' },
  DRIVER_UNREACHABLE: { code: 'UNAVAILABLE', remedy: 'see that the driver runs, then call again' },
  DRIVER_TIMEOUT: {
    code: 'DEADLINE_EXCEEDED',
    remedy: "find out what the driver waits for, or raise the method's entry of deadlinesMs",
  },
  DRIVER_SUSPENDED: {
    code: 'UNAVAILABLE',
    remedy: 'it did not answer several times in a row and is tried again after details.retryAfterMs; see that it runs',
  },
  DRIVER_FAILED: { code: 'INTERNAL', remedy: "the driver's own words say what it could not do" },
  DRIVER_BAD_ANSWER: {
    code: 'INTERNAL',
    remedy: 'the answer breaks the rules of volume drivers and was not used; report it to who makes the driver',
  },
});
