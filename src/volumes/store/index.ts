export type { ForgetTarget } from './forget-volumes.js';
export type { VolumeStoreOptions } from './open-parts.js';
export type * from './types.js';
export { VolumeStore, type WatchVolumesOptions } from './volume-store.js';
