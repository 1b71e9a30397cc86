import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import type { Child } from '../../os/index.js';
import { exitStatus, identifyProcess, mountAll, type ProcessIdentity, removeShallow, unmount } from '../../os/index.js';
import type { OciRuntime } from '../../runtime/oci-runtime.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import type { OciSpec } from '../../spec/oci-types.js';
import { newId, shortId } from '../../util/ids.js';
import { nextTurn } from '../../util/next-turn.js';
import { Rollback } from '../../util/rollback.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { rootParent } from '../bundle/root-parent.js';
import { writeBundle } from '../bundle/write-bundle.js';
import { containerCgroup } from '../cgroup-path.js';
import type { ContainerDeps } from '../deps.js';
import { withExitCode } from '../exit-codes.js';
import { openStdio } from '../process/inline-process.js';
import type { ProcessExit, RunningProcess } from '../process/running-process.js';
import { signalNumber } from '../signal-number.js';
import { unbindSubpaths } from '../volumes/subpath-mounts.js';
import { type LaunchVolumes, openLaunchVolumes } from './launch-volumes.js';
import type { EphemeralRecord } from './record.js';
import { emptyCgroup } from './sweep.js';

/** A throwaway container whose runtime process was started. */
export interface EphemeralLaunch {
  readonly id: string;
  readonly dir: string;
  readonly spec: OciSpec;
  readonly options: ContainerOptions;
  readonly record: EphemeralRecord;
  readonly runtime: OciRuntime;
  readonly process: RunningProcess;
  /** Ends the container now: all its processes, whatever state it is in. `process.exit` tells when it is gone. */
  destroy(): void;
}

export interface LaunchRequest {
  readonly options: ContainerOptions;
  readonly stdin: boolean;
}

let ownIdentity: ProcessIdentity | undefined;

/**
 * Starts a throwaway container in the foreground of a runtime process that is our child and joins the sweeper's
 * process group. Everything it makes is listed in its session directory before it is made.
 */
export function launchEphemeral(
  deps: ContainerDeps,
  request: LaunchRequest,
  call: CallOptions = {},
): Promise<EphemeralLaunch> {
  return deps.live.call(() => launch(deps, request, call));
}

async function launch(deps: ContainerDeps, request: LaunchRequest, call: CallOptions): Promise<EphemeralLaunch> {
  throwIfAborted(call.signal);
  const { options } = request;
  const id = newId();
  const undo = new Rollback();
  try {
    const image = options.image === undefined ? undefined : await deps.images.resolve(options.image, call);
    const runtime = await deps.runtimes.get(options.runtime, call);
    // Before the name is claimed: by this directory others see that its holder exists.
    const dir = deps.session.makeContainerDir(id, [...deps.snapshotter.ownPaths(id), `${runtime.root}/${id}`]);
    undo.defer(() => rmSync(dir, { recursive: true, force: true }));
    if (options.name !== undefined) {
      deps.names.claim(options.name, id, (holder) => deps.repository.isKnown(holder), { durable: false });
      undo.defer(() => deps.names.release(options.name as string, id));
    }
    const parent = rootParent(options, image);
    const rootMounts = await deps.snapshotter.prepare(id, parent.snapshot, {
      ...call,
      ...parent.options,
      volatile: true,
    });
    undo.defer(() => deps.snapshotter.remove(id));
    mountRoot(dir, rootMounts);
    undo.defer(() => unmount(`${dir}/rootfs`, { lazy: true }));
    await nextTurn();
    const volumes = await openLaunchVolumes(
      deps,
      { id, dir, options, imageVolumes: image?.config.volumes ?? [] },
      undo,
      call,
    );
    const { mounts, volumePaths } = volumes;
    const { spec } = await writeBundle(
      deps,
      { id, dir, options, image: image?.config, imageId: image?.id, runtime, mounts, volumePaths },
      call,
    );
    const record = ephemeralRecord(deps, { id, options, imageId: image?.id, spec, mounts });
    writeFileSync(`${dir}/record.json`, JSON.stringify(record), { mode: 0o600 });
    await nextTurn();
    throwIfAborted(call.signal);
    const stdio = openStdio({
      tty: options.tty ?? false,
      stdin: request.stdin,
      ...(options.consoleSize && { consoleSize: options.consoleSize }),
    });
    undo.defer(() => stdio.abandon());
    const child = runtime.run({
      id,
      bundle: dir,
      logFile: `${dir}/log.json`,
      pidFile: `${dir}/pid`,
      stdin: stdio.stdin,
      stdout: stdio.stdout,
      stderr: stdio.stderr,
      ...(stdio.terminalPath === undefined
        ? { processGroup: deps.session.processGroup() }
        : { newSession: true, terminalPath: stdio.terminalPath }),
    });
    undo.disarm();
    deps.emit({ type: 'container', action: 'start', id, attributes: eventAttributes(record) });
    const streams = stdio.attach(child);
    if (spec.linux.seccomp !== undefined) deps.seccompFilters.learn(runtime, spec.linux.seccomp, id, child.exit);
    const cgroup = containerCgroup(deps.config.cgroupParent, id);
    let destroyed = false;
    let signaled = false;
    const end = finishLaunch(
      deps,
      { id, dir, runtime, record, volumes, cgroup, wasEnded: () => destroyed || signaled },
      child,
    );
    const destroy = (): void => {
      if (destroyed) return;
      destroyed = true;
      // The runtime first: it must not go on with a start while its container is being emptied.
      child.kill('SIGKILL');
      // What it can't end, finishLaunch tries again and reports.
      emptyCgroup(deps.cgroups, cgroup).catch(() => {});
    };
    const launched = {
      id,
      dir,
      spec,
      options,
      record,
      runtime,
      destroy,
      process: {
        ...streams,
        exit: end,
        kill: (signal: string | number = 'SIGTERM') => {
          const number = signalNumber(signal);
          signaled = true;
          return child.kill(number);
        },
      },
    };
    deps.live.add(launched);
    return launched;
  } catch (error) {
    await undo.run();
    throw withExitCode(error as Error);
  }
}

interface Launched {
  readonly id: string;
  readonly dir: string;
  readonly runtime: OciRuntime;
  readonly record: EphemeralRecord;
  readonly volumes: LaunchVolumes;
  readonly cgroup: string;
  /** Our side sent a signal: a runtime that it met before the process ran did not fail. */
  readonly wasEnded: () => boolean;
}

/** After the runtime process has ended: takes away what it made, in the order of the sweep, and tells how it ended. */
async function finishLaunch(deps: ContainerDeps, launched: Launched, child: Child): Promise<ProcessExit> {
  const exit = await child.exit;
  const { id, dir, runtime, record } = launched;
  const exitCode = exitStatus(exit);
  const failed = launched.wasEnded() ? undefined : startError(launched, exitCode);
  // A runtime that was killed, or failed half-way, may have left its container.
  if (exit.signal !== null || failed !== undefined) {
    await emptyCgroup(deps.cgroups, launched.cgroup);
    rmSync(`${runtime.root}/${id}`, { recursive: true, force: true });
  }
  unbindSubpaths(dir);
  unmount(`${dir}/rootfs`, { lazy: true });
  await nextTurn();
  await deps.snapshotter.remove(id);
  await launched.volumes.finish();
  await nextTurn();
  removeShallow(dir);
  if (record.name !== undefined) deps.names.release(record.name, id);
  deps.emit({
    type: 'container',
    action: 'die',
    id,
    attributes: { ...eventAttributes(record), exitCode: String(exitCode) },
  });
  if (failed !== undefined) throw withExitCode(failed);
  return { exitCode };
}

/** The pid file is written when the process runs: without it the exit code is the runtime's own, whatever it is. */
function startError({ id, dir, runtime }: Launched, exitCode: number): Error | undefined {
  const logged = exitCode === 0 ? undefined : runtime.readError(`${dir}/log.json`);
  if (logged !== undefined || existsSync(`${dir}/pid`)) return logged;
  const { name, path } = runtime.binary;
  return engineError(
    'RUNTIME_FAILED',
    `runtime ${quote(name)} at ${quote(path)} ended with exit code ${exitCode} before container ${shortId(id)} ran`,
    { details: { runtime: name, path, runtimeExitCode: exitCode } },
  );
}

function mountRoot(dir: string, mounts: Parameters<typeof mountAll>[0]): void {
  mkdirSync(`${dir}/rootfs`, { mode: 0o700 });
  mountAll(mounts, `${dir}/rootfs`);
}

function ephemeralRecord(
  deps: ContainerDeps,
  {
    id,
    options,
    imageId,
    spec,
    mounts,
  }: Pick<EphemeralRecord, 'id' | 'imageId' | 'mounts'> & {
    readonly options: ContainerOptions;
    readonly spec: OciSpec;
  },
): EphemeralRecord {
  ownIdentity ??= identifyProcess(process.pid) as ProcessIdentity;
  return {
    id,
    name: options.name,
    createdAt: deps.now().toISOString(),
    image: options.image,
    imageId,
    command: spec.process.args,
    labels: options.labels ?? {},
    mounts,
    owner: ownIdentity,
  };
}

function eventAttributes(record: EphemeralRecord): Record<string, string> {
  return {
    ...record.labels,
    ephemeral: 'true',
    ...(record.image !== undefined && { image: record.image }),
    ...(record.name !== undefined && { name: record.name }),
  };
}
