export { ContentStore } from './content-store.js';
export { chainIdOf, chainIdsOf, digestHex, digestOf, isDigest, parseDigest } from './digest.js';
export type { FromHostOptions, HostFile } from './from-host/from-host.js';
export type { ImageEvent, ImageHolders } from './image-deps.js';
export type { ImageHistoryEntry } from './image-history.js';
export { ImageStore, type ImageStoreOptions } from './image-store.js';
export type { ImageDetails, ImageLayer, ImageSummary } from './image-summary.js';
export { Images } from './images-facet.js';
export type { ImageFormat } from './import/choose-format.js';
export type { ImportImageOptions, LoadImagesOptions } from './import/import-image.js';
export type { ImageInput } from './import/open-source.js';
export type { UnpackLimits } from './layer-store.js';
export type { ListImagesOptions } from './list-images.js';
export type { MadeImageConfig } from './made-config.js';
export { choosePlatform, formatPlatform, hostPlatform, normalizePlatform, parsePlatform } from './platform.js';
export {
  familiarName,
  familiarString,
  formatReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.js';
export type { RemovedImage, RemoveImageOptions } from './remove-image.js';
export type {
  BlobSource,
  ConnectRegistry,
  RegistryAuth,
  RemoteManifest,
  RemoteReference,
  RemoteRepository,
} from './transfer/blob-source.js';
export type { LayerProgress, LayerStatus, OnPullProgress, PullProgress } from './transfer/progress.js';
export type { ImageCandidate, PullImageOptions, PullPolicy, VerifyImage } from './transfer/pull-options.js';
export type { Digest, ImageHealthcheck, ImageRunConfig, ImageSource, Platform, ResolvedImage } from './types.js';
