import { engineError } from '../errors/index.js';
import type { ImageRunConfig } from '../images/types.js';
import { shortId } from '../util/ids.js';
import { buildAnnotations } from './annotations.js';
import { type CapabilityFacts, resolveCapabilities } from './capabilities.js';
import { collectMounts, type UserMount } from './collect-mounts.js';
import type { ContainerOptions } from './container-options.js';
import { buildDeviceRules, buildDevices, type ResolvedDevice } from './devices.js';
import { buildPathRules } from './masked-paths.js';
import { buildMounts, type ContainerFiles, rootfsPropagation } from './mounts.js';
import { buildNamespaces, type NamespacePaths } from './namespaces.js';
import type { OciSpec } from './oci-types.js';
import { buildProcess } from './process.js';
import type { ResolvedUser } from './resolve-user.js';
import { buildResources } from './resources.js';
import { kernelAtLeast } from './seccomp/kernel-version.js';
import { resolveSeccomp } from './seccomp/resolve-seccomp.js';
import { buildSysctls } from './sysctls.js';

/** What generation must know of the host; probed once per engine. */
export interface HostFacts extends CapabilityFacts {
  /** 1 for hybrid hosts too. */
  readonly cgroupVersion: 1 | 2;
  /** The kernel can filter system calls. Without it a container that wants a filter is refused. */
  readonly seccomp: boolean;
  /** `process.arch`. */
  readonly architecture: string;
  /** `os.release()`. */
  readonly kernelVersion: string;
  /** False where the kernel counts no swap. @defaultValue true */
  readonly swapLimit?: boolean;
  /** Read-only binds cover mounts below them. @defaultValue true from Linux 5.12 on */
  readonly recursiveReadOnly?: boolean;
  /** Host name, for containers in the host's UTS or network namespace. */
  readonly hostname?: string;
}

export interface SpecInput {
  readonly id: string;
  /** Checked by `validateContainerOptions`. */
  readonly options: ContainerOptions;
  readonly image: ImageRunConfig | undefined;
  readonly user: ResolvedUser;
  /** The mounted root file system, absolute. */
  readonly rootfsPath: string;
  readonly cgroupsPath: string;
  readonly hostFacts: HostFacts;
  /** From `resolveBindSources`; without it sources go into the spec as they were given. */
  readonly mounts?: readonly UserMount[];
  readonly files?: ContainerFiles;
  /** Host path of an init binary, for `init: true`. */
  readonly initPath?: string;
  readonly namespacePaths?: NamespacePaths;
  readonly shmPath?: string;
  readonly volumePaths?: ReadonlyMap<string, string>;
  /** From `resolveDevices`, or `listHostDevices` and it for privileged containers. */
  readonly devices?: readonly ResolvedDevice[];
  /** The engine's own annotations, such as a compiled seccomp filter. */
  readonly engineAnnotations?: Readonly<Record<string, string>>;
}

/**
 * The OCI runtime spec (1.0.2) of a container: options over image over Docker's defaults. Of the image only its process
 * settings are read; nothing of it reaches annotations, mounts, devices, hooks or seccomp. Pure, but for looking up throttled
 * block devices. Throws the INVALID_ARGUMENT reasons of the field at fault.
 */
export function generateSpec(input: SpecInput): OciSpec {
  const { options, hostFacts, image } = input;
  const userMounts = input.mounts ?? collectMounts(options);
  const capabilities = resolveCapabilities(options, hostFacts);
  const hostname = containerHostname(input);
  const devices = input.devices ?? [];
  const joinsNetwork = options.network !== undefined && options.network !== 'none' && options.network !== 'host';
  const sysctl = buildSysctls(
    options,
    hostFacts.kernelVersion,
    joinsNetwork && options.network?.startsWith('container:'),
  );
  const seccomp = seccompFor(options, capabilities, hostFacts);
  const propagation = rootfsPropagation(userMounts);
  const annotations = buildAnnotations(options.annotations, input.engineAnnotations);
  const initPath = initBinary(input);
  return {
    ociVersion: '1.0.2',
    process: buildProcess({
      options,
      image,
      user: input.user,
      capabilities,
      hostname,
      underInit: initPath !== undefined,
    }),
    root: { path: input.rootfsPath, readonly: options.readOnlyRootfs === true },
    ...(options.utsMode === 'host' || hostname === undefined ? {} : { hostname }),
    mounts: buildMounts({
      options,
      userMounts,
      files: input.files,
      initPath,
      shmPath: input.shmPath,
      volumePaths: input.volumePaths,
      recursiveReadOnly: hostFacts.recursiveReadOnly ?? kernelAtLeast(hostFacts.kernelVersion, '5.12'),
    }),
    ...(annotations === undefined ? {} : { annotations }),
    linux: {
      namespaces: buildNamespaces(options, hostFacts.cgroupVersion, input.namespacePaths),
      ...(devices.length === 0 ? {} : { devices: buildDevices(devices) }),
      cgroupsPath: input.cgroupsPath,
      resources: {
        devices: buildDeviceRules(devices, options.deviceCgroupRules, options.privileged === true),
        ...buildResources(options, hostFacts),
      },
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      ...buildPathRules(options),
    },
  };
}

/** The name inside: the given one, the host's where its namespaces are used, else the short id. */
function containerHostname({ id, options, hostFacts }: SpecInput): string | undefined {
  if (options.utsMode === 'host') return hostFacts.hostname;
  return options.hostname ?? (options.network === 'host' ? hostFacts.hostname : undefined) ?? shortId(id);
}

/** A privileged container is filtered only by a profile given for it, as with Docker. */
function seccompFor(options: ContainerOptions, capabilities: readonly string[], hostFacts: HostFacts) {
  const profile = options.seccomp ?? 'default';
  if (profile === 'unconfined' || (profile === 'default' && options.privileged === true)) return undefined;
  if (!hostFacts.seccomp) {
    throw engineError('UNSUPPORTED_HOST', 'field seccomp asks for a filter and this kernel has no seccomp', {
      details: { field: 'seccomp', feature: 'seccomp' },
    });
  }
  const { architecture, kernelVersion } = hostFacts;
  return resolveSeccomp(profile, { capabilities, architecture, kernelVersion });
}

/** Init runs as pid 1, so only in a pid namespace of the container's own. */
function initBinary({ options, initPath }: SpecInput): string | undefined {
  if (options.init !== true || (options.pidMode ?? 'private') !== 'private') return undefined;
  if (initPath !== undefined) return initPath;
  throw engineError('TOOL_MISSING', 'field init is true and no init program (tini, catatonit, docker-init) was found', {
    details: { field: 'init' },
  });
}
