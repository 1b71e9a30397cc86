import type { ResolvedConfig } from '../config/index.js';
import type { EventInput } from '../events/index.js';
import type { ImageSource } from '../images/types.js';
import type { CgroupLayout } from '../os/index.js';
import type { OciRuntime } from '../runtime/oci-runtime.js';
import type { Supervisor } from '../runtime/supervisor.js';
import type { Snapshotter } from '../snapshots/snapshotter.js';
import type { HostFacts as SpecHostFacts } from '../spec/index.js';
import type { IntentStore, Layout, NameIndex } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';
import type { SeccompFilters } from './bundle/seccomp-filters.js';
import type { UserCache } from './bundle/user-cache.js';
import type { ExitWatcher } from './durable/exit-watcher.js';
import type { ContainerRepository } from './durable/repository.js';
import type { LiveSet } from './ephemeral/live-set.js';
import type { Session } from './ephemeral/session.js';
import type { VolumesSource } from './volumes/port.js';

/** Finds a runtime by its configured name, probed at first use. */
export interface RuntimeSource {
  /** Throws UNKNOWN_RUNTIME, RUNTIME_MISSING, RUNTIME_TOO_OLD, RUNTIME_BROKEN, RUNTIME_UNFIT. */
  get(name: string | undefined, call?: CallOptions): Promise<OciRuntime>;
}

/** Finds a supervisor for durable containers. */
export interface SupervisorSource {
  /** The one named, or the preferred one of this host. Throws SUPERVISOR_MISSING. */
  get(name: 'conmon' | 'shim' | undefined): Supervisor;
}

/** All that container verbs need; each takes the part it names. */
export interface ContainerDeps {
  readonly layout: Layout;
  readonly config: ResolvedConfig;
  readonly cgroups: CgroupLayout;
  readonly hostFacts: SpecHostFacts;
  readonly session: Session;
  readonly snapshotter: Snapshotter;
  readonly images: ImageSource;
  readonly runtimes: RuntimeSource;
  readonly supervisors: SupervisorSource;
  readonly seccompFilters: SeccompFilters;
  readonly users: UserCache;
  /** Throwaway containers and exec sessions of this engine. */
  readonly live: LiveSet;
  readonly names: NameIndex;
  readonly repository: ContainerRepository;
  readonly intents: IntentStore;
  readonly exits: ExitWatcher;
  readonly volumes: VolumesSource;
  readonly emit: (event: EventInput) => void;
  readonly now: () => Date;
}
