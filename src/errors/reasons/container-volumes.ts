import { defineReasons } from './define.js';

export const CONTAINER_VOLUME_REASONS = defineReasons({});
