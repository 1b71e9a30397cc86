import { CONTAINER_REASONS } from './containers.js';
import { ENGINE_REASONS } from './engine.js';
import { GENERAL_REASONS } from './general.js';
import { IMAGE_REASONS } from './images.js';
import { RUNTIME_REASONS } from './runtime.js';
import { SPEC_REASONS } from './spec.js';
import { STATE_REASONS } from './state.js';

/** Every reason this version throws, with its code and remedy. `docs/errors.md` is tested against it. */
export const REASONS = {
  ...GENERAL_REASONS,
  ...STATE_REASONS,
  ...SPEC_REASONS,
  ...IMAGE_REASONS,
  ...RUNTIME_REASONS,
  ...CONTAINER_REASONS,
  ...ENGINE_REASONS,
} as const;

export type Reason = keyof typeof REASONS;
