import { listContainers } from '../containers/durable/list.js';
import { isLive } from '../containers/status.js';
import type { EngineParts } from './parts.js';

/** What `engine.info()` tells. @public */
export interface EngineInfo {
  readonly root: string;
  readonly runDir: string;
  readonly snapshotter: string;
  readonly defaultRuntime: string;
  readonly cgroupMode: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly containers: { readonly running: number; readonly total: number };
  readonly images: number;
  readonly labels: Readonly<Record<string, string>>;
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
    labels: deps.config.labels,
    warnings: deps.config.warnings,
  };
}
