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
export { Engine, type EventOptions } from './engine/engine.js';
export type { EngineInfo } from './engine/info.js';
export type { UnbuiltFacet } from './engine/unbuilt.js';
export { EngineError, type ErrorCode, type ErrorDetails } from './errors/index.js';
export type { EngineEvent, EventType } from './events/index.js';
export type {
  Digest,
  FromHostOptions,
  HostFile,
  ImageDetails,
  ImageFormat,
  ImageHealthcheck,
  ImageHistoryEntry,
  ImageInput,
  ImageLayer,
  ImageRunConfig,
  ImageSummary,
  ImportImageOptions,
  ListImagesOptions,
  LoadImagesOptions,
  MadeImageConfig,
  Platform,
  RemovedImage,
  RemoveImageOptions,
} from './images/index.js';
export { Images } from './images/index.js';
export type { LogEntry, LogStream } from './logs/index.js';
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
