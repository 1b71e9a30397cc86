import { defineReasons } from './define.js';

export const PLUGIN_REASONS = defineReasons({});
