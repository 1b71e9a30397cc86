import { defineReasons } from './define.js';

export const LOCAL_VOLUME_REASONS = defineReasons({});
