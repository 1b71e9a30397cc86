import { existsSync, readdirSync } from 'node:fs';
import { listContainers } from '../containers/durable/list.js';
import { isLive } from '../containers/status.js';
import type { EngineParts } from './parts.js';

/** What `engine.info()` tells. @public */
export interface EngineInfo {
  /** Where everything that lasts is. */
  readonly root: string;
  /** Where run-time files are. */
  readonly runDir: string;
  /** How container roots are made here: `overlay` or `vfs`. */
  readonly snapshotter: string;
  /** The runtime as configured; `doctor` tells which one `auto` means here. */
  readonly defaultRuntime: string;
  /** `v1`, `v2` or `hybrid`. */
  readonly cgroupMode: string;
  /** The kernel's release. */
  readonly kernelVersion: string;
  /** As `process.arch`. */
  readonly architecture: string;
  /** Containers of all processes on the root, durable and throwaway. */
  readonly containers: {
    /** Those that run or are paused. */
    readonly running: number;
    /** All that exist. */
    readonly total: number;
  };
  /** Number of images. */
  readonly images: number;
  /** Number of volumes on record; those that only a driver knows are not counted. */
  readonly volumes: number;
  /** Names of this program's volume drivers, the built-in one, and plugins that were used already. */
  readonly volumeDrivers: readonly string[];
  /** The engine's own labels, from its options. */
  readonly labels: Readonly<Record<string, string>>;
  /** Settings of the configuration file that have no effect. */
  readonly warnings: readonly string[];
}

export async function engineInfo(parts: EngineParts): Promise<EngineInfo> {
  const { deps, facts } = parts;
  const rows = await listContainers(deps, { all: true });
  return {
    root: deps.config.root,
    runDir: deps.layout.run,
    snapshotter: deps.snapshotter.name,
    defaultRuntime: deps.config.defaultRuntime,
    cgroupMode: deps.cgroups.mode,
    kernelVersion: facts.kernelVersion,
    architecture: process.arch,
    containers: { running: rows.filter((row) => isLive(row.status)).length, total: rows.length },
    images: (await parts.images.list()).length,
    volumes: countVolumes(`${deps.layout.v1}/volumes/records`),
    volumeDrivers: parts.drivers.names(),
    labels: deps.config.labels,
    warnings: deps.config.warnings,
  };
}

/** Without the store: that would be opened for it. */
function countVolumes(records: string): number {
  if (!existsSync(records)) return 0;
  return readdirSync(records).filter((name) => existsSync(`${records}/${name}/record.json`)).length;
}
