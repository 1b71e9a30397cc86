import type { VolumeDriver } from '../volumes/volume-driver.js';

/**
 * How an engine is set up. Everything is optional; what is given is checked when the engine opens and frozen then.
 *
 * @public
 */
export interface EngineOptions {
  /**
   * Absolute directory of everything that lasts: images, containers, volumes. Made when missing. Any number of
   * processes may open the same root. @defaultValue `/var/lib/caisson`
   */
  readonly root?: string;
  /**
   * Absolute directory of run-time files (sockets, mounts, pids); on a tmpfs if possible. All processes that open a
   * root must name the same one. @defaultValue a directory under `/run/caisson` derived from the root
   */
  readonly runDir?: string;
  /** Absolute directory for copies of image archives that can't be read in place (streams, compressed ones). @defaultValue one in the root */
  readonly tempDir?: string;
  /** How container roots are made. `auto`: overlay where the kernel has it, else vfs. @defaultValue `auto` */
  readonly snapshotter?: 'overlay' | 'vfs' | 'auto';
  /**
   * Runtime of containers that name none: `runc`, `crun` or a key of `runtimes`. `auto`: crun where it is installed
   * and can run, else runc. @defaultValue `auto`
   */
  readonly defaultRuntime?: 'auto' | 'runc' | 'crun' | (string & {});
  /** Runtimes by name: the path (or program name) of an OCI runtime. `runc` and `crun` may be given to say where they are. */
  readonly runtimes?: Readonly<Record<string, string | RuntimeOptions>>;
  /** Who holds durable containers. `auto`: conmon where it is installed, else containerd's shim. @defaultValue `auto` */
  readonly supervisor?: 'auto' | 'conmon' | 'shim';
  /** Absolute cgroup path under which containers' groups are made; a missing one is made and stays. @defaultValue none: they are made at the top */
  readonly cgroupParent?: string;
  /** MTU of networks that the engine makes, 68 to 65535. @defaultValue 1500 */
  readonly mtu?: number;
  /** Ids for containers with a user namespace, from /etc/subuid and /etc/subgid. Read and checked; not used yet. */
  readonly idMaps?: IdMapOptions;
  /** OOM score adjustment of supervisor processes, -1000 to 1000. @defaultValue -500 */
  readonly supervisorOomScoreAdj?: number;
  /** Grace between stop signal and SIGKILL for containers that set none, milliseconds. @defaultValue 10000 */
  readonly defaultStopTimeoutMs?: number;
  /** How long `close` may take to end throwaway containers before they are killed, milliseconds. @defaultValue 15000 */
  readonly closeTimeoutMs?: number;
  /** Size of /dev/shm for containers that set none, bytes. @defaultValue 64 MiB */
  readonly defaultShmSizeBytes?: number;
  /** Limits of every container that does not set the same one. */
  readonly defaultUlimits?: readonly DefaultUlimit[];
  /** Labels of this engine, shown by `info()`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Output that `run` and `exec` collect per stream before they fail, bytes. @defaultValue 64 MiB */
  readonly maxCollectedOutputBytes?: number;
  /** Absolute path of a static init program for containers with `init: true`. @defaultValue one that is installed */
  readonly initPath?: string;
  /** Seccomp profile of containers that name none: the built-in one, none, or a profile object. @defaultValue `default` */
  readonly defaultSeccomp?: 'default' | 'unconfined' | Readonly<Record<string, unknown>>;
  /** Absolute path of a file in the format of Docker's daemon.json. A setting may be in the file or here, not in both. */
  readonly configFile?: string;
  /** Volume drivers of this program. One that is named `local` replaces the built-in driver. */
  readonly volumeDrivers?: readonly VolumeDriver[];
  /**
   * Absolute directories of unix sockets of volume plugins that somebody else runs: `<name>.sock` or
   * `<name>/<name>.sock`. An empty list: no plugins there. @defaultValue `['/run/docker/plugins']`
   */
  readonly pluginSocketDirs?: readonly string[];
  /**
   * Absolute directories of files that say where plugins are: `<name>.spec` and `<name>.json`. Searched after the
   * sockets. @defaultValue `['/etc/docker/plugins', '/usr/lib/docker/plugins']`
   */
  readonly pluginSpecDirs?: readonly string[];
  /** Not built yet: giving one throws NOT_BUILT_YET. */
  readonly networkDrivers?: readonly object[];
  /** Not built yet: giving one throws NOT_BUILT_YET. */
  readonly logDrivers?: readonly object[];
}

/** An OCI runtime that the host adds. @public */
export interface RuntimeOptions {
  /** Absolute path, or the name of a program in a system directory. */
  readonly path: string;
  /** Directory for the runtime's own state. @defaultValue one under the run dir */
  readonly root?: string;
}

/** Whose subordinate ids to use. @public */
export interface IdMapOptions {
  /** User name or uid with ranges in /etc/subuid. */
  readonly user: string;
  /** Owner of the ranges in /etc/subgid. @defaultValue the user */
  readonly group?: string;
}

/** A resource limit for all containers. @public */
export interface DefaultUlimit {
  /** Name of getrlimit(2) in lower case: `nofile`, `nproc`, `core`… */
  readonly name: string;
  /** Limit that processes start with; -1: unlimited. */
  readonly soft: number;
  /** -1: unlimited. */
  readonly hard: number;
}
