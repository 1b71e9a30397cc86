/** A bind, tmpfs or volume mount. @public */
export type MountOptions =
  | {
      readonly type: 'bind';
      /** Absolute host path; must exist unless `createSource`. */
      readonly source: string;
      /** Absolute path in the container. */
      readonly target: string;
      readonly readOnly?: boolean;
      /** @defaultValue `rprivate` */
      readonly propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
      /** Bind only the top mount of the source, not those below it. */
      readonly nonRecursive?: boolean;
      /** Make a missing source directory (0755). */
      readonly createSource?: boolean;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      /** For example `0o1777`. @defaultValue that of the image's directory, else `0o1777` */
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      /** Allow running programs from it. @defaultValue false */
      readonly exec?: boolean;
      readonly readOnly?: boolean;
    }
  | {
      readonly type: 'volume';
      /** Name of a volume, made when it does not exist; none for an anonymous one, which can go with its container. */
      readonly source?: string;
      readonly target: string;
      readonly readOnly?: boolean;
      /** Leave an empty volume empty; otherwise it gets what the image has at the target. @defaultValue false */
      readonly noCopy?: boolean;
      /**
       * Mount this path of the volume instead of all of it: relative, it must exist there, and links in it are not
       * followed. Needs `source`; nothing is copied then.
       */
      readonly subpath?: string;
      /** Driver of the volume. One that exists must be that driver's. @defaultValue the container's `volumeDriver`, else `local` */
      readonly driver?: string;
      /** What its driver is to know when it makes the volume. One that exists must have been made with the same. */
      readonly driverOptions?: Readonly<Record<string, string>>;
      /** Labels of the volume, when it is made. One that exists must have the same. */
      readonly labels?: Readonly<Record<string, string>>;
    };

/** A resource limit of the process. @public */
export interface UlimitOptions {
  /** Name as in Docker: `nofile`, `nproc`, `core`… */
  readonly name: string;
  /** Limit that the process starts with; -1: unlimited. */
  readonly soft: number;
  /** -1: unlimited. */
  readonly hard: number;
}

/** A host device in the container. @public */
export interface DeviceOptions {
  /** Absolute path of a device node, or of a directory of them. */
  readonly pathOnHost: string;
  /** Absolute path in the container. @defaultValue pathOnHost */
  readonly pathInContainer?: string;
  /** Letters of `r`, `w`, `m`. @defaultValue `rwm` */
  readonly permissions?: string;
}

/** Limits of the cgroup, for v1 and v2 alike. @public */
export interface ResourceOptions {
  /** Hard limit, bytes; at least 6 MiB. */
  readonly memoryBytes?: number;
  /** Soft limit, bytes. */
  readonly memoryReservationBytes?: number;
  /** Memory plus swap, bytes; -1 unlimited; needs memoryBytes. Default: twice memoryBytes, as Docker. */
  readonly memorySwapBytes?: number;
  /** 0 to 100; v1 only. */
  readonly memorySwappiness?: number;
  /** v1 only. */
  readonly oomKillDisable?: boolean;
  /** CPUs, fractions allowed: 1.5. Not together with cpuQuotaUs. */
  readonly cpus?: number;
  /** 2 to 262144; 1024 is the normal weight. */
  readonly cpuShares?: number;
  /** Microseconds per period; at least 1000. */
  readonly cpuQuotaUs?: number;
  /** 1000 to 1000000. */
  readonly cpuPeriodUs?: number;
  /** CPUs it may run on: `0-2,4`. */
  readonly cpusetCpus?: string;
  /** Memory nodes it may use: `0-1`. */
  readonly cpusetMems?: string;
  /** Processes and threads; -1 unlimited. */
  readonly pidsLimit?: number;
  /** 10 to 1000. */
  readonly blkioWeight?: number;
  /** Read limits of block devices by host path, bytes per second. */
  readonly deviceReadBps?: readonly { readonly path: string; readonly rate: number }[];
  /** Write limits of block devices by host path, bytes per second. */
  readonly deviceWriteBps?: readonly { readonly path: string; readonly rate: number }[];
  /** Read limits of block devices by host path, operations per second. */
  readonly deviceReadIops?: readonly { readonly path: string; readonly rate: number }[];
  /** Write limits of block devices by host path, operations per second. */
  readonly deviceWriteIops?: readonly { readonly path: string; readonly rate: number }[];
}

/** A seccomp profile in Docker's format (with `includes`/`excludes`, `archMap`) or the OCI runtime-spec's. @public */
export type SeccompProfile = Readonly<Record<string, unknown>>;

/**
 * What to run and how: the same for throwaway and durable containers. Names and rules follow Docker's where it has
 * them; sizes are bytes, times milliseconds.
 *
 * @public
 */
export interface ContainerOptions extends ResourceOptions {
  /** Reference, digest or id (prefix) of an image in the store. Either this or `rootfs`. */
  readonly image?: string;
  /** Absolute host directory used as the read-only lower tree of the root file system, instead of an image. */
  readonly rootfs?: string;
  /** Unique among containers of the root. @defaultValue a random readable name for durable containers, none for throwaway ones */
  readonly name?: string;
  /** Arguments: replaces the image's Cmd. */
  readonly command?: readonly string[];
  /** Replaces the image's Entrypoint (and drops its Cmd); `[]` drops it. */
  readonly entrypoint?: readonly string[];
  /** Added to the image's environment; a map, or `NAME=value` entries. */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** Absolute; made when missing. @defaultValue the image's, else `/` */
  readonly workingDir?: string;
  /** `name`, `uid`, `name:group`, `uid:gid`. @defaultValue the image's, else root */
  readonly user?: string;
  /** Further groups: names of the image's /etc/group or numbers. */
  readonly groups?: readonly (string | number)[];
  /** Host name. @defaultValue the first 12 digits of the id */
  readonly hostname?: string;
  /** NIS domain name of the container's UTS namespace. */
  readonly domainname?: string;
  /** Give the process a terminal; all its output is then on stdout. @defaultValue false */
  readonly tty?: boolean;
  /** Terminal size at start; needs tty. */
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Keep stdin open for writers. @defaultValue false */
  readonly openStdin?: boolean;
  /**
   * Labels to find the container by: `containers.list({ labels })`, `events({ labels })`.
   */
  readonly labels?: Readonly<Record<string, string>>;
  /** OCI annotations. Keys that steer runtimes or supervisors are refused. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The root file system can't be written; mounts and tmpfs can. @defaultValue false */
  readonly readOnlyRootfs?: boolean;
  /** Binds, volumes and tmpfs mounts; each target once. */
  readonly mounts?: readonly MountOptions[];
  /**
   * Docker's short form `source:target[:options]`: a source that is an absolute path is bound (a missing directory is
   * made, as Docker does), any other names a volume; a target alone is an anonymous volume. Options: `ro`, `rw`,
   * `nocopy`, propagation, and those of Docker that have no effect here. For paths with a colon use `mounts`.
   */
  readonly binds?: readonly string[];
  /**
   * Containers whose binds and volumes this one gets too, at the same targets: id or name, with `:ro` for read-only.
   * Mounts of its own win over them, later ones over earlier ones.
   */
  readonly volumesFrom?: readonly string[];
  /** Driver of the volumes that are made for this container and name none. @defaultValue `local` */
  readonly volumeDriver?: string;
  /** Target to mount(8) options, as Docker's tmpfs map: `{ '/tmp': 'size=64m,mode=1777' }`. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  /** Size of /dev/shm, bytes; at least 4096. @defaultValue the engine's defaultShmSizeBytes, 64 MiB */
  readonly shmSizeBytes?: number;
  /** Names with or without `CAP_`; `ALL`. */
  readonly capAdd?: readonly string[];
  /** Names with or without `CAP_`; `ALL`. Taken away from Docker's default set. */
  readonly capDrop?: readonly string[];
  /** All capabilities and devices, no seccomp, nothing masked: root in it is root of the host. @defaultValue false */
  readonly privileged?: boolean;
  /** System call filter: Docker's profile, none, or one of your own. @defaultValue the engine's defaultSeccomp */
  readonly seccomp?: 'default' | 'unconfined' | SeccompProfile;
  /** Absolute paths that can't be read in the container. @defaultValue Docker's list */
  readonly maskedPaths?: readonly string[];
  /** Absolute paths that can't be written in the container. @defaultValue Docker's list */
  readonly readonlyPaths?: readonly string[];
  /** No program gains rights by being run. @defaultValue false, as Docker: setuid programs of the image work */
  readonly noNewPrivileges?: boolean;
  /** Limits of the process as setrlimit(2) has them; each name once. */
  readonly ulimits?: readonly UlimitOptions[];
  /** Sysctls of the container's own namespaces. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Host devices that the container may use. */
  readonly devices?: readonly DeviceOptions[];
  /** Docker's device cgroup rules: `c 1:3 rwm`. */
  readonly deviceCgroupRules?: readonly string[];
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number;
  /** Run a small init (the engine's initPath) as pid 1 that reaps and forwards signals. @defaultValue false */
  readonly init?: boolean;
  /** `none`: only loopback. `host`: the host's network. @defaultValue `none` */
  readonly network?: 'none' | 'host' | (string & {});
  /** Whose processes it sees: its own, the host's, or another container's. @defaultValue `private` */
  readonly pidMode?: 'private' | 'host' | `container:${string}`;
  /**
   * Whose IPC namespace: its own, the host's, its own without /dev/shm, or another container's. @defaultValue `private`
   */
  readonly ipcMode?: 'private' | 'host' | 'none' | `container:${string}`;
  /** Whose host name: its own or the host's. @defaultValue `private` */
  readonly utsMode?: 'private' | 'host';
  /** Whether it sees its own cgroup as the root of the tree. @defaultValue `private` on cgroup v2, `host` on v1, as Docker */
  readonly cgroupnsMode?: 'private' | 'host';
  /** Lines for /etc/hosts: host name to address. */
  readonly extraHosts?: Readonly<Record<string, string>>;
  /** What the container's /etc/resolv.conf says: addresses of servers, search domains, options of resolv.conf(5). */
  readonly dns?: {
    readonly servers?: readonly string[];
    readonly search?: readonly string[];
    readonly options?: readonly string[];
  };
  /** What `stop` sends first: a name or a number in text. @defaultValue the image's, else SIGTERM */
  readonly stopSignal?: string;
  /** Grace between stop signal and SIGKILL, milliseconds. @defaultValue the engine's defaultStopTimeoutMs, 10000 */
  readonly stopTimeoutMs?: number;
  /** Configured runtime to use. */
  readonly runtime?: string;
  /** Choose the platform of a multi-platform image that the store has: `linux/arm64`. */
  readonly platform?: string;
}
