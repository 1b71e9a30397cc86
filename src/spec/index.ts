export type { Mountpoint, ResolvedMounts } from './bind-sources.js';
export { resolveBindSources } from './bind-sources.js';
export { parseBind } from './bind-string.js';
export {
  CAPABILITIES,
  type CapabilityFacts,
  DEFAULT_CAPABILITIES,
  parseCapabilityMask,
  resolveCapabilities,
} from './capabilities.js';
export { checkBoolean, integer, oneOf } from './check.js';
export { checkRootfs } from './check-rootfs.js';
export { checkSignal } from './check-signal.js';
export { collectMounts, sortMounts, type UserMount, type VolumeMountPoint } from './collect-mounts.js';
export type {
  ContainerOptions,
  DeviceOptions,
  MountOptions,
  ResourceOptions,
  SeccompProfile,
  UlimitOptions,
} from './container-options.js';
export { checkMountTarget, isAtOrUnder } from './container-path.js';
export { listHostDevices, type ResolvedDevice, resolveDevices } from './devices.js';
export { buildExecProcess, type ExecProcessOptions } from './exec-process.js';
export { badField } from './fail.js';
export { generateSpec, type HostFacts, type SpecInput } from './generate-spec.js';
export { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from './masked-paths.js';
export { type ContainerFiles, withFileMountpoints } from './mounts.js';
export type { NamespacePaths } from './namespaces.js';
export type { OciMount, OciProcess, OciResources, OciSeccomp, OciSpec } from './oci-types.js';
export { pinInRoot } from './pin-in-root.js';
export { prepareRootfs, type RootfsNeeds } from './prepare-rootfs.js';
export { commandLine } from './process.js';
export { type ResolvedUser, resolveUser } from './resolve-user.js';
export { openRootfsReader, type RootfsReader } from './rootfs-reader.js';
export { resolveSeccomp, type SeccompFacts } from './seccomp/resolve-seccomp.js';
export { type CompiledFilter, stringifyProcess, stringifySpec, writeSpec } from './stringify-spec.js';
export { validateExecOptions } from './validate-exec.js';
export { validateContainerOptions } from './validate-options.js';
export { parseVolumesFrom, type VolumesFrom } from './volumes-from.js';
