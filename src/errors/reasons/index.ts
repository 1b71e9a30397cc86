import { CONTAINER_VOLUME_REASONS } from './container-volumes.js';
import { CONTAINER_REASONS } from './containers.js';
import { ENGINE_REASONS } from './engine.js';
import { GENERAL_REASONS } from './general.js';
import { IMAGE_REASONS } from './images.js';
import { LOCAL_VOLUME_REASONS } from './local-volumes.js';
import { PLUGIN_REASONS } from './plugins.js';
import { REGISTRY_REASONS } from './registry.js';
import { RUNTIME_REASONS } from './runtime.js';
import { SPEC_REASONS } from './spec.js';
import { STATE_REASONS } from './state.js';
import { VOLUME_DRIVER_REASONS } from './volume-drivers.js';
import { VOLUME_REASONS } from './volumes.js';

/** Every reason this version throws, with its code and remedy. `docs/errors.md` is tested against it. */
export const REASONS = {
  ...GENERAL_REASONS,
  ...STATE_REASONS,
  ...SPEC_REASONS,
  ...IMAGE_REASONS,
  ...REGISTRY_REASONS,
  ...RUNTIME_REASONS,
  ...CONTAINER_REASONS,
  ...ENGINE_REASONS,
  ...CONTAINER_VOLUME_REASONS,
  ...LOCAL_VOLUME_REASONS,
  ...PLUGIN_REASONS,
  ...VOLUME_DRIVER_REASONS,
  ...VOLUME_REASONS,
} as const;

export type Reason = keyof typeof REASONS;
