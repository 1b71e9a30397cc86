import type { ContainerDeps } from '../containers/deps.js';
import type { EngineEvent } from '../events/index.js';
import type { ImageStore } from '../images/index.js';
import type { HostFacts } from '../sysinfo/index.js';
import type { EventOptions } from './engine.js';

/** The parts of one open engine, joined in `open.ts`. */
export interface EngineParts {
  readonly deps: ContainerDeps;
  readonly images: ImageStore;
  readonly facts: HostFacts;
  readonly journalEvents: (options: EventOptions) => AsyncIterable<EngineEvent>;
  readonly closeRegistry: () => Promise<void>;
  readonly closeRuntimes: () => void;
  readonly closeFilters: () => Promise<void>;
  readonly closeJournal: () => void;
}
