import type { ContainerDeps } from '../containers/deps.js';
import type { EngineEvent } from '../events/index.js';
import type { ImageStore } from '../images/index.js';
import type { HostFacts } from '../sysinfo/index.js';
import type { Drivers } from './drivers-facet.js';
import type { EventOptions } from './engine.js';
import type { VolumeParts } from './volume-parts.js';

/** The parts of one open engine, joined in `open.ts`. */
export interface EngineParts {
  readonly deps: ContainerDeps;
  readonly images: ImageStore;
  readonly volumes: VolumeParts;
  readonly drivers: Drivers;
  readonly facts: HostFacts;
  readonly journalEvents: (options: EventOptions) => AsyncIterable<EngineEvent>;
  readonly closeRegistry: () => Promise<void>;
  readonly closeRuntimes: () => void;
  readonly closeFilters: () => Promise<void>;
  readonly closeJournal: () => void;
}
