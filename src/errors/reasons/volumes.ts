import { defineReasons } from './define.js';

export const VOLUME_REASONS = defineReasons({});
