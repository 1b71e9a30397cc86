export type { DefaultUlimit, EngineOptions, IdMapOptions, RuntimeOptions } from './config/index.js';
export { Containers } from './containers/containers-facet.js';
export { Container } from './containers/durable/container.js';
export type { CreateContainerOptions } from './containers/durable/create.js';
export type { ContainerDetails, InspectContainerOptions } from './containers/durable/inspect.js';
export type { ContainerSummary, ListContainersOptions } from './containers/durable/list.js';
export type { RemoveContainerOptions } from './containers/durable/remove.js';
export type { StopContainerOptions } from './containers/durable/stop.js';
export type { ContainerExit } from './containers/durable/wait.js';
export { EphemeralContainer, type EphemeralContainerOptions } from './containers/ephemeral/ephemeral-container.js';
export type { RunOptions, SpawnContainerOptions } from './containers/ephemeral/run.js';
export type { LogOptions } from './containers/log-options.js';
export type { CollectOptions, ProcessInput } from './containers/process/collect.js';
export type { ExecOptions, SpawnOptions } from './containers/process/exec-options.js';
export type { ProcessExit, ProcessResult, RunningProcess } from './containers/process/running-process.js';
export type { RecordedError } from './containers/record.js';
export { Scope } from './containers/scope.js';
export type { ContainerStatus } from './containers/status.js';
export type { ContainerMount } from './containers/volumes/describe-mounts.js';
export { Drivers } from './engine/drivers-facet.js';
export { Engine, type EventOptions } from './engine/engine.js';
export type { EngineInfo } from './engine/info.js';
export type { UnbuiltFacet } from './engine/unbuilt.js';
export { Volumes } from './engine/volumes-facet.js';
export { EngineError, type ErrorCode, type ErrorDetails } from './errors/index.js';
export type { EngineEvent, EventInput, EventType } from './events/index.js';
export type {
  Digest,
  FromHostOptions,
  HostFile,
  ImageCandidate,
  ImageDetails,
  ImageFormat,
  ImageHealthcheck,
  ImageHistoryEntry,
  ImageInput,
  ImageLayer,
  ImageRunConfig,
  ImageSummary,
  ImportImageOptions,
  LayerProgress,
  LayerStatus,
  ListImagesOptions,
  LoadImagesOptions,
  MadeImageConfig,
  OnPullProgress,
  Platform,
  PullImageOptions,
  PullPolicy,
  PullProgress,
  RegistryAuth,
  RemovedImage,
  RemoveImageOptions,
  VerifyImage,
} from './images/index.js';
export { Images } from './images/index.js';
export type { LogEntry, LogStream } from './logs/index.js';
export type { ProcessIdentity } from './os/index.js';
export {
  LegacyPlugins,
  type LegacyPluginsOptions,
  type PluginClient,
  type PluginClientOptions,
  type PluginFailure,
  type PluginFindOptions,
  type PluginList,
} from './plugins/index.js';
export type { SnapshotUsage } from './snapshots/snapshotter.js';
export type {
  ContainerOptions,
  DeviceOptions,
  MountOptions,
  ResourceOptions,
  SeccompProfile,
  UlimitOptions,
} from './spec/index.js';
export type { DoctorFinding, DoctorReport } from './sysinfo/index.js';
export type { CallOptions } from './util/signals.js';
export {
  type AcquireDriverOptions,
  type AllDrivers,
  type BreakerOptions,
  type DriverCallWarnings,
  type DriverLease,
  type DriverLimits,
  type DriverMethod,
  type DriverProblem,
  type DriverSource,
  DriverStore,
  type DriverStoreOptions,
  type DriverSummary,
  type DriverWarning,
  type GuardedDriver,
  type UnregisterDriverOptions,
} from './volumes/drivers/index.js';
export type { PluginCallOptions, PluginEndpoint, PluginLookup, PluginProblem } from './volumes/plugin-lookup.js';
export {
  type CreateVolumeOptions,
  type ForgetTarget,
  type ForgetVolumesOptions,
  type HolderInput,
  type HolderKind,
  type ListVolumesOptions,
  type MountVolumeOptions,
  type PruneReport,
  type PruneVolumesOptions,
  type ReleaseVolumeOptions,
  type RemoveVolumeOptions,
  type Volume,
  type VolumeDrivers,
  type VolumeFilter,
  type VolumeHolder,
  type VolumeInspection,
  type VolumeList,
  type VolumeMount,
  VolumeStore,
  type VolumeStoreOptions,
  type VolumeUsage,
  type VolumeUsageOptions,
  type VolumeWarning,
  type WatchVolumesOptions,
} from './volumes/store/index.js';
export type { StoreDriver } from './volumes/store/ports.js';
export type { DriverVolume, VolumeDriver, VolumeScope } from './volumes/volume-driver.js';
