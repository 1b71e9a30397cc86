import type { DefaultUlimit } from './engine-options.js';

/** The engine's settings: complete, checked and deeply frozen. Records have no prototype. */
export interface ResolvedConfig {
  readonly root: string;
  readonly runDir: string;
  readonly tempDir: string;
  readonly snapshotter: 'overlay' | 'vfs' | 'auto';
  /** `auto` or a key of `runtimes`, `runc` or `crun`. */
  readonly defaultRuntime: string;
  readonly runtimes: Readonly<Record<string, ConfiguredRuntime>>;
  readonly supervisor: 'auto' | 'conmon' | 'shim';
  readonly cgroupParent: string;
  readonly mtu: number;
  readonly idMaps: ResolvedIdMaps | undefined;
  readonly supervisorOomScoreAdj: number;
  readonly defaultStopTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly defaultShmSizeBytes: number;
  readonly defaultUlimits: readonly DefaultUlimit[];
  readonly labels: Readonly<Record<string, string>>;
  readonly maxCollectedOutputBytes: number;
  readonly initPath: string | undefined;
  readonly defaultSeccomp: 'default' | 'unconfined' | Readonly<Record<string, unknown>>;
  /** `undefined`: Docker's. */
  readonly pluginSocketDirs: readonly string[] | undefined;
  /** `undefined`: Docker's. */
  readonly pluginSpecDirs: readonly string[] | undefined;
  /** What was read but has no effect, for example unknown keys of the config file. */
  readonly warnings: readonly string[];
}

export interface ConfiguredRuntime {
  /** Absolute path, or a program name without a slash. */
  readonly path: string;
  readonly root: string | undefined;
}

export interface IdRange {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

export interface ResolvedIdMaps {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}
