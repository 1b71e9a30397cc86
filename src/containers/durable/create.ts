import { mkdirSync, rmSync } from 'node:fs';
import { EngineError } from '../../errors/index.js';
import { identifyProcess, type ProcessIdentity } from '../../os/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { checkBoolean, commandLine, oneOf, validateContainerOptions } from '../../spec/index.js';
import { newId } from '../../util/ids.js';
import { Rollback } from '../../util/rollback.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { rootParent } from '../bundle/root-parent.js';
import type { ContainerDeps } from '../deps.js';
import { readableName } from '../readable-names.js';
import { type ContainerRecord, storeImage } from '../record.js';
import { resolveMounts } from '../volumes/resolve-mounts.js';
import { nameVolumes, takeVolumes, usedVolumes } from '../volumes/take-volumes.js';
import { containerAttributes } from './event-attributes.js';

const checkSupervisor = oneOf(['conmon', 'shim']);

/** Options of `containers.create`. @public */
export interface CreateContainerOptions extends ContainerOptions, CallOptions {
  /** Remove the container when it has exited; `wait` gives the exit code all the same. @defaultValue false */
  readonly autoRemove?: boolean;
  /** Who holds it while it runs. @defaultValue the engine's `supervisor` option */
  readonly supervisor?: 'conmon' | 'shim';
}

/** Creates a durable container; nothing runs yet. Returns its id. Nothing of it is left when it throws. */
export async function createContainer(deps: ContainerDeps, options: CreateContainerOptions): Promise<string> {
  const { signal, autoRemove, supervisor, ...rest } = options;
  const call: CallOptions = signal === undefined ? {} : { signal };
  const checked = validateContainerOptions(rest);
  if (autoRemove !== undefined) checkBoolean('autoRemove', autoRemove);
  if (supervisor !== undefined) checkSupervisor('supervisor', supervisor);
  throwIfAborted(signal);
  const image = checked.image === undefined ? undefined : await deps.images.resolve(checked.image, call);
  // A container that could never start is not made.
  commandLine(checked, image?.config);
  const runtime = await deps.runtimes.get(checked.runtime, call);
  const supervisorName = deps.supervisors.get(supervisor).name;
  const id = newId();
  const wanted = nameVolumes(resolveMounts(deps.repository, checked, image?.config.volumes ?? []));
  const owner = identifyProcess(process.pid) as ProcessIdentity;
  const intent = deps.intents.begin({
    verb: 'create',
    kind: 'container',
    id,
    owner,
    data: { name: checked.name, volumes: usedVolumes(wanted) },
  });
  const undo = new Rollback();
  undo.defer(() => intent.done());
  try {
    const name = claimName(deps, id, checked.name);
    undo.defer(() => deps.names.release(name, id));
    const parent = rootParent(checked, image);
    await deps.snapshotter.prepare(id, parent.snapshot, { ...call, ...parent.options });
    undo.defer(() => deps.snapshotter.remove(id));
    throwIfAborted(signal);
    const mounts = await takeVolumes(deps.volumes, wanted, { id, kind: 'container' }, undo, call);
    const dir = deps.repository.directory(id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    undo.defer(() => rmSync(dir, { recursive: true, force: true }));
    const record: ContainerRecord = {
      id,
      name,
      createdAt: deps.now().toISOString(),
      options: checked,
      image: image && storeImage(image, checked.image as string),
      runtime: runtime.binary.name,
      supervisor: supervisorName,
      autoRemove: autoRemove ?? false,
      mounts,
      status: 'created',
      runs: 0,
    };
    deps.repository.create(record);
    undo.disarm();
    intent.done();
    deps.emit({ type: 'container', action: 'create', id, attributes: containerAttributes(record) });
    return id;
  } catch (error) {
    await undo.run();
    throw error;
  }
}

function claimName(deps: ContainerDeps, id: string, wanted: string | undefined): string {
  const isKnown = (holder: string): boolean => deps.repository.isKnown(holder);
  for (let tries = 0; ; tries++) {
    const name = wanted ?? readableName();
    try {
      deps.names.claim(name, id, isKnown);
      return name;
    } catch (error) {
      // Two random names may meet; a given one that is taken is the caller's matter.
      if (wanted !== undefined || tries >= 20 || !EngineError.is(error, 'ALREADY_EXISTS')) throw error;
    }
  }
}
