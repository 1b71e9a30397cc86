import type { ImageRunConfig } from '../../images/types.js';
import type { OciRuntime } from '../../runtime/oci-runtime.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import {
  type CompiledFilter,
  checkRootfs,
  generateSpec,
  listHostDevices,
  prepareRootfs,
  resolveBindSources,
  resolveDevices,
  type UserMount,
  withFileMountpoints,
  writeSpec,
} from '../../spec/index.js';
import type { OciSpec } from '../../spec/oci-types.js';
import { shortId } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import { containerCgroup } from '../cgroup-path.js';
import type { ContainerDeps } from '../deps.js';
import { writeEtcFiles } from './etc-files.js';
import { findInit } from './find-init.js';
import { resolveNamespaces } from './namespace-paths.js';
import { FILTER_ANNOTATION } from './seccomp-filters.js';
import { withDefaults } from './with-defaults.js';

export interface BundleRequest {
  readonly id: string;
  /** Bundle directory; the root file system is mounted at `<dir>/rootfs`. */
  readonly dir: string;
  readonly options: ContainerOptions;
  readonly image: ImageRunConfig | undefined;
  readonly imageId: string | undefined;
  readonly runtime: OciRuntime;
  /** From all sources, volumes mounted. */
  readonly mounts: readonly UserMount[];
  /** Host path of each volume's content, by target. */
  readonly volumePaths: ReadonlyMap<string, string>;
}

type BundleDeps = Pick<ContainerDeps, 'config' | 'hostFacts' | 'users' | 'seccompFilters' | 'repository'>;

/** Writes config.json and the files it names; makes the mount points and the working directory in the mounted root. */
export async function writeBundle(
  deps: BundleDeps,
  request: BundleRequest,
  call: CallOptions,
): Promise<{ spec: OciSpec }> {
  const { id, dir, image } = request;
  const options = withDefaults(request.options, deps.config);
  const rootfs = `${dir}/rootfs`;
  checkRootfs(rootfs);
  const user = deps.users.resolve(rootfs, request.imageId, options.user ?? image?.user ?? '', options.groups ?? []);
  const { mounts, mountpoints } = resolveBindSources(request.mounts, request.volumePaths);
  const initPath = options.init ? (deps.config.initPath ?? findInit()) : undefined;
  const files = writeEtcFiles(dir, options.hostname ?? shortId(id), options);
  const spec = generateSpec({
    id,
    options,
    image,
    user,
    rootfsPath: rootfs,
    cgroupsPath: containerCgroup(deps.config.cgroupParent, id),
    hostFacts: deps.hostFacts,
    mounts,
    volumePaths: request.volumePaths,
    files,
    namespacePaths: await resolveNamespaces(deps, options, call),
    devices: [...(options.privileged ? listHostDevices() : []), ...resolveDevices(options.devices)],
    ...(initPath !== undefined && { initPath }),
  });
  prepareRootfs(rootfs, {
    workingDir: spec.process.cwd,
    mountpoints: withFileMountpoints(mountpoints, files, initPath),
  });
  writeSpec(`${dir}/config.json`, spec, compiledFilter(deps, spec, request.runtime));
  return { spec };
}

/** crun takes a compiled filter through an annotation: compiling the profile is half of its start. */
function compiledFilter(
  deps: Pick<ContainerDeps, 'seccompFilters'>,
  { linux }: OciSpec,
  runtime: OciRuntime,
): CompiledFilter | undefined {
  const text = linux.seccomp && deps.seccompFilters.find(runtime, linux.seccomp);
  return text === undefined ? undefined : { annotation: FILTER_ANNOTATION, text };
}
