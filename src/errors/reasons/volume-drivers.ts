import { defineReasons } from './define.js';

export const VOLUME_DRIVER_REASONS = defineReasons({});
