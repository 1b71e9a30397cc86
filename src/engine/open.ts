import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type EngineOptions, resolveConfig } from '../config/index.js';
import { UserCache } from '../containers/bundle/user-cache.js';
import type { ContainerDeps } from '../containers/deps.js';
import { ExitWatcher } from '../containers/durable/exit-watcher.js';
import { createContainerStore } from '../containers/durable/record-codec.js';
import { ContainerRepository } from '../containers/durable/repository.js';
import { settleExit } from '../containers/durable/settle.js';
import { LiveSet } from '../containers/ephemeral/live-set.js';
import { Session } from '../containers/ephemeral/session.js';
import { engineError } from '../errors/index.js';
import { type EventInput, EventJournal } from '../events/index.js';
import { ImageStore } from '../images/index.js';
import { makePrivateDir, readCgroupLayout } from '../os/index.js';
import { chooseSnapshotter } from '../snapshots/index.js';
import { ensureDirectory, IntentStore, NameIndex, openLayout, syncDirectory } from '../state/index.js';
import { probeHost } from '../sysinfo/index.js';
import { createLog } from '../util/log.js';
import type { CallOptions } from '../util/signals.js';
import { forgetEarlierBoot } from './forget-earlier-boot.js';
import type { EngineParts } from './parts.js';
import { doLater, recover } from './recover.js';
import { ConfiguredRuntimes } from './runtime-source.js';
import { CompiledFilters } from './seccomp-filters.js';
import { specFacts } from './spec-facts.js';
import { ConfiguredSupervisors } from './supervisor-source.js';
import { verifyFilter } from './verify-filter.js';

const log = createLog('engine');

/** Joins the parts of an engine: the only place that constructs across folders. */
export async function openParts(options: EngineOptions & CallOptions): Promise<EngineParts> {
  const { signal, ...rest } = options;
  const call: CallOptions = signal === undefined ? {} : { signal };
  if (process.geteuid?.() !== 0) {
    throw engineError('NOT_PERMITTED', 'an engine needs root: rootless containers are not built yet');
  }
  const given = resolveConfig(rest);
  const layout = openLayout({ root: given.root, ...(rest.runDir !== undefined && { runDir: given.runDir }) });
  const config = { ...given, runDir: layout.run };
  makeKindDirectories(layout.v1);
  const facts = probeHost();
  const cgroups = readCgroupLayout();
  if (cgroups.mode === 'none') throw engineError('NO_CGROUPS', 'no cgroup hierarchy is mounted on this host');

  await forgetEarlierBoot(layout, undefined, call);
  const sessionsDir = layout.runPath('sessions');
  mkdirSync(sessionsDir, { recursive: true, mode: 0o700 });
  const snapshotter = await chooseSnapshotter({ preference: config.snapshotter, dir: layout.dir('snapshots') });
  const journal = new EventJournal({ dir: layout.dir('events') });
  const emit = (event: EventInput): void => {
    try {
      journal.append(event);
    } catch (error) {
      // It tells of what is done: on a full disk the deed stands, untold.
      log('event %s %s could not be written: %o', event.type, event.action, error);
    }
  };
  const images = await ImageStore.open({
    dir: layout.dir('images'),
    // A directory that the host names may serve several roots: each has a part of its own in it.
    ...(rest.tempDir !== undefined && { tempDir: makeTempDirectory(rest.tempDir, layout.run) }),
    snapshotter,
    emit,
    usedBy: (imageId) => holdersOf(imageId),
  });
  const names = new NameIndex({ dir: layout.dir('names') });
  const intents = new IntentStore({ dir: layout.dir('intents') });
  const tombstonesDir = layout.dir('tombstones');
  const repository = new ContainerRepository({
    store: createContainerStore(layout.dir('containers')),
    names,
    intents,
    locksDir: layout.dir('locks'),
    tombstonesDir,
    sessionsDir,
  });
  const session = new Session({
    sessionsDir,
    cgroupParent: config.cgroupParent,
    cgroupMountPoints: cgroups.mountPoints,
  });
  const filters = new CompiledFilters({
    dir: `${layout.dir('cache')}/seccomp`,
    scratchDir: layout.runPath('runtime', 'scratch'),
    verify: (runtime, filter) => verifyFilter({ session, config }, runtime, filter),
  });
  const runtimes = new ConfiguredRuntimes({ config, runDir: layout.run, cgroupMode: cgroups.mode });
  const supervisors = new ConfiguredSupervisors(config.supervisor);
  const deps: ContainerDeps = {
    layout,
    config,
    cgroups,
    hostFacts: specFacts(facts),
    session,
    live: new LiveSet(),
    volumes: unbuiltVolumes,
    snapshotter,
    images,
    runtimes,
    supervisors,
    seccompFilters: filters,
    users: new UserCache(),
    names,
    repository,
    intents,
    exits: new ExitWatcher({
      wait: async (task, waitSignal) => {
        const supervisor = supervisors.get(task.supervisor as 'conmon' | 'shim');
        return supervisor.wait(task, { signal: waitSignal, keepAlive: false });
      },
      settle: (id) => settleExit(deps, id),
    }),
    emit,
    now: () => new Date(),
  };
  const holdersOf = (imageId: string): string[] => imageHolders(deps, imageId);
  try {
    const later = await recover({ ...deps, sessionsDir, tombstonesDir, recoverImages: () => images.recover() }, call);
    if (later.length > 0) void deps.live.call(() => doLater(later, deps.live.orClosing()));
  } catch (error) {
    await session.close();
    throw error;
  }
  return {
    deps,
    images,
    facts,
    journalEvents: (wanted) => {
      const { since, until, signal: readSignal, type, action, id, labels } = wanted;
      return journal.read({
        follow: until === undefined || until.getTime() > Date.now(),
        since: since ?? new Date(),
        ...(until !== undefined && { until }),
        ...(readSignal !== undefined && { signal: readSignal }),
        filter: {
          ...(type !== undefined && { type }),
          ...(action !== undefined && { action }),
          ...(id !== undefined && { id }),
          ...(labels !== undefined && { labels }),
        },
      });
    },
    closeFilters: () => filters.close(),
    closeRuntimes: () => runtimes.close(),
    closeJournal: () => journal.close(),
  };
}

async function unbuiltVolumes(): Promise<never> {
  throw engineError('NOT_BUILT_YET', 'volumes with a name do not exist in this version');
}

function makeTempDirectory(tempDir: string, runDir: string): string {
  const own = join(tempDir, `caisson-${basename(runDir)}`);
  makePrivateDir(own);
  return own;
}

const KINDS = ['snapshots', 'events', 'images', 'names', 'intents', 'tombstones', 'containers', 'locks', 'cache'];

/** All at once, so that a new root costs one fsync for them and not one each. */
function makeKindDirectories(v1: string): void {
  const made = KINDS.filter((kind) => ensureDirectory(`${v1}/${kind}`));
  if (made.length > 0) syncDirectory(v1);
}

/** Ids of the containers that need an image. */
function imageHolders(deps: ContainerDeps, imageId: string): string[] {
  const durable = [...deps.repository.list().records.values()].filter((record) => record.image?.id === imageId);
  const ephemeral = deps.repository.listEphemeral().filter((record) => record.imageId === imageId);
  return [...durable, ...ephemeral].map((record) => record.id);
}
