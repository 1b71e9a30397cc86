import { mkdirSync } from 'node:fs';
import { EngineError } from '../../errors/index.js';
import { mountAll } from '../../os/index.js';
import { collectMounts } from '../../spec/index.js';
import { Rollback } from '../../util/rollback.js';
import { type CallOptions, cleanupSignal } from '../../util/signals.js';
import { writeBundle } from '../bundle/write-bundle.js';
import type { ContainerDeps } from '../deps.js';
import { withExitCode } from '../exit-codes.js';
import { loadImageConfig, type RecordedError } from '../record.js';
import { assertMay } from '../status.js';
import { mountVolumes } from '../volumes/mount-volumes.js';
import { cleanUpRun, nextExitDir } from './clean-up-run.js';
import { containerAttributes } from './event-attributes.js';
import { repairLocked } from './repair.js';
import type { LockedContainer } from './repository.js';

/** Starts a created or exited container; a running one is left alone. */
export async function startContainer(deps: ContainerDeps, id: string, call: CallOptions = {}): Promise<void> {
  await deps.repository.withContainer(id, call, async (locked) => {
    await repairLocked(deps, locked, call);
    if (locked.current.status === 'running') return;
    assertMay('start', locked.current);
    await startLocked(deps, locked, call);
  });
}

async function startLocked(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  const record = locked.current;
  const { id, options } = record;
  const runtime = await deps.runtimes.get(record.runtime, call);
  const supervisor = deps.supervisors.get(record.supervisor);
  const runDir = deps.layout.runPath('containers', id);
  const dir = deps.repository.directory(id);
  const exitDir = nextExitDir(deps, record);
  const undo = new Rollback();
  // Saved first: after a crash, recovery must know that a runtime object with this id may exist.
  locked.save({ status: 'starting', error: undefined, task: undefined });
  try {
    await cleanUpRun(deps, record, call);
    undo.defer(() => cleanUpRun(deps, locked.current, { signal: cleanupSignal() }));
    mkdirSync(`${runDir}/rootfs`, { recursive: true, mode: 0o700 });
    mkdirSync(`${runDir}/supervisor`, { mode: 0o700 });
    mkdirSync(exitDir, { mode: 0o700 });
    mountAll(await deps.snapshotter.mounts(id), `${runDir}/rootfs`);
    const image = record.image && loadImageConfig(record.image);
    const wanted = record.mounts ?? collectMounts(options);
    const holder = { id, kind: 'container' } as const;
    const volumes = await mountVolumes(deps, { holder, dir: runDir, mounts: wanted, first: record.runs === 0 }, call);
    const { mounts, volumePaths } = volumes;
    if (volumePaths.size > 0) locked.save({ mounts });
    // No image id: the container may have changed its account files, and what they say now is for it alone.
    const { spec } = await writeBundle(
      deps,
      { id, dir: runDir, options, image, imageId: undefined, runtime, mounts, volumePaths },
      call,
    );
    const task = await supervisor.create(
      {
        id,
        name: record.name,
        bundle: runDir,
        runDir: `${runDir}/supervisor`,
        logFile: `${dir}/ctr.log`,
        exitDir,
        runtime,
        terminal: spec.process.terminal ?? false,
        stdin: options.openStdin ?? false,
        oomScoreAdj: deps.config.supervisorOomScoreAdj,
      },
      call,
    );
    locked.save({ task });
    await supervisor.start(task, runtime, call);
    const run = record.runs + 1;
    locked.save({ status: 'running', runs: run, startedAt: deps.now().toISOString(), task });
    undo.disarm();
    deps.exits.watch(id, task);
    deps.emit({ type: 'container', action: 'start', id, attributes: containerAttributes(record) });
  } catch (cause) {
    await undo.run();
    const error = withExitCode(cause as Error);
    locked.save({
      status: record.status === 'starting' ? 'created' : record.status,
      task: undefined,
      error: recordError(error),
    });
    throw error;
  }
}

export function recordError(error: unknown): RecordedError {
  if (EngineError.is(error)) return { code: error.code, reason: error.reason, message: error.message };
  return { code: 'INTERNAL', reason: 'BUG', message: error instanceof Error ? error.message : String(error) };
}
