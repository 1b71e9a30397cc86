import { readFileSync } from 'node:fs';
import { EngineError, engineError } from '../../errors/index.js';
import { isEnding, type ProcessIdentity } from '../../os/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import type { OciSpec } from '../../spec/oci-types.js';
import { shortId } from '../../util/ids.js';
import { sleep } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { exitCodeOf } from '../exit-codes.js';
import { bindToSignal } from '../process/bind-to-signal.js';
import { type CollectOptions, checkCollectOptions, collectProcess } from '../process/collect.js';
import { type ExecSession, startExec } from '../process/exec.js';
import type { ExecOptions, SpawnOptions } from '../process/exec-options.js';
import type { ProcessResult, RunningProcess } from '../process/running-process.js';
import { assertMay } from '../status.js';

export async function execInContainer(
  deps: ContainerDeps,
  id: string,
  command: readonly string[],
  options: ExecOptions & CollectOptions,
): Promise<ProcessResult> {
  checkCollectOptions(options);
  const session = await enter(deps, id, command, { ...options, stdin: options.input !== undefined });
  return collectProcess(
    session.process,
    { maxOutputBytes: deps.config.maxCollectedOutputBytes, ...options },
    session.destroy,
  );
}

export async function spawnInContainer(
  deps: ContainerDeps,
  id: string,
  command: readonly string[],
  options: SpawnOptions,
): Promise<RunningProcess> {
  const session = await enter(deps, id, command, options);
  return bindToSignal(session, options.signal);
}

function enter(
  deps: ContainerDeps,
  id: string,
  command: readonly string[],
  options: SpawnOptions,
): Promise<ExecSession> {
  return deps.live.call(() => start(deps, id, command, options));
}

async function start(
  deps: ContainerDeps,
  id: string,
  command: readonly string[],
  options: SpawnOptions,
): Promise<ExecSession> {
  const record = deps.repository.read(id);
  assertMay('exec', record);
  const runtime = await deps.runtimes.get(record.runtime, options);
  const runDir = deps.layout.runPath('containers', id);
  const init = record.task?.init;
  try {
    const spec = JSON.parse(readFileSync(`${runDir}/config.json`, 'utf8')) as OciSpec;
    const session = startExec(
      deps,
      { id, runtime, process: spec.process, rootfs: `${runDir}/rootfs` },
      command,
      options,
      options,
    );
    deps.live.add(session);
    const exit = session.process.exit.catch(async (error) => {
      throw await endedMeanwhile(id, init, error);
    });
    return { ...session, process: { ...session.process, exit } };
  } catch (error) {
    throw await endedMeanwhile(id, init, error);
  }
}

/** A runtime that enters a container while it ends fails in many ways; what the caller must know is one. */
async function endedMeanwhile(id: string, init: ProcessIdentity | undefined, error: unknown): Promise<unknown> {
  const isSymptom = EngineError.is(error, undefined, 'RUNTIME_FAILED') || errnoOf(error) === 'ENOENT';
  if (!isSymptom) return error;
  // The last process of a container goes after all others are gone: it may still be there for a moment.
  for (let tries = 0; init !== undefined && !isEnding(init); tries++) {
    if (tries === 100) return error;
    await sleep(10, { keepAlive: true });
  }
  return engineError('CONTAINER_NOT_RUNNING', `container ${shortId(id)} ended before the command was started in it`, {
    details: { id, verb: 'exec', exitCode: exitCodeOf(error) },
    cause: error,
  });
}
