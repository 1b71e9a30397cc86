import { readFileSync } from 'node:fs';
import type { OciSpec } from '../../spec/oci-types.js';
import type { ContainerDeps } from '../deps.js';
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
  const { signal } = options;
  signal?.addEventListener('abort', session.destroy, { once: true });
  const done = (): void => signal?.removeEventListener('abort', session.destroy);
  session.process.exit.then(done, done);
  return session.process;
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
  const spec = JSON.parse(readFileSync(`${runDir}/config.json`, 'utf8')) as OciSpec;
  const session = startExec(
    deps,
    { id, runtime, process: spec.process, rootfs: `${runDir}/rootfs` },
    command,
    options,
    options,
  );
  deps.live.add(session);
  return session;
}
