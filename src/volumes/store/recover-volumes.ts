import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { bootId, isAlive, type ProcessIdentity } from '../../os/process-identity.js';
import type { Layout } from '../../state/index.js';
import { newToken } from '../../util/ids.js';
import { createLog } from '../../util/log.js';
import { nextTurn } from '../../util/next-turn.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { dropGoneContainers, listHolders, listOrphans } from './holders.js';
import { removeVolume } from './remove-volume.js';
import { opOf, whenSettled } from './settle.js';
import { undoUse } from './unmount-volume.js';

const log = createLog('volumes');

/** Which processes have opened the store in this boot, so that an open notices when one died. */
export class Sessions {
  readonly #dir: string;
  readonly #own: string;

  constructor(layout: Layout, self: ProcessIdentity) {
    this.#dir = layout.runPath('volumes', 'sessions');
    this.#own = `${self.pid}-${self.startTime}-${newToken()}`;
  }

  /** Files of dead processes; `undefined` when nobody has opened the store in this boot. Call before `enter`. */
  dead(): string[] | undefined {
    let names: string[];
    try {
      names = readdirSync(this.#dir);
    } catch {
      return undefined;
    }
    if (!names.includes(bootId())) return undefined;
    return names.filter((name) => {
      const match = /^(\d+)-(\d+)-/.exec(name);
      return match !== null && !isAlive({ pid: Number(match[1]), startTime: match[2] as string, bootId: bootId() });
    });
  }

  enter(): void {
    writeFileSync(`${this.#dir}/${this.#own}`, '', { mode: 0o600 });
  }

  leave(): void {
    rmSync(`${this.#dir}/${this.#own}`, { force: true });
  }

  /** What these left is cleaned up; `undefined`: so is what an earlier boot left. */
  forget(dead: readonly string[] | undefined): void {
    if (dead === undefined) {
      for (const name of readdirSync(this.#dir)) if (/^[0-9a-f-]{36}$/.test(name)) rmSync(`${this.#dir}/${name}`);
      writeFileSync(`${this.#dir}/${bootId()}`, '', { mode: 0o600 });
    }
    for (const name of dead ?? []) rmSync(`${this.#dir}/${name}`, { force: true });
  }
}

/**
 * What every open does in the background: undoes the mounts of processes that died, drops the holds of containers that
 * are gone; and where a process died at work, or after a reboot, also brings its work to an end. What can't be done now
 * (a driver that fails) is done when the volume is needed. False when something was left.
 */
export async function recoverVolumes(deps: StoreDeps, thorough: boolean, call: CallOptions): Promise<boolean> {
  const { files } = deps;
  let clean = true;
  const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    throwIfAborted(call.signal);
    try {
      await work();
    } catch (error) {
      throwIfAborted(call.signal);
      clean = false;
      log('volume %s could not be put in order: %o', name, error);
    }
    await nextTurn();
  };
  const used = new Set([...files.uses.volumes(), ...files.holds.volumes()]);
  const tasks = [...used].map((name) => attempt(name, () => recoverHolders(deps, name, thorough, call)));
  await Promise.all(tasks);
  if (!thorough) return clean;
  const { records } = files.list();
  const unfinished = records.filter(({ state }) => {
    return state.status !== 'ready' && !deps.operations.isRunning(opOf(state));
  });
  await Promise.all(unfinished.map(({ name }) => attempt(name, () => whenSettled(deps, name, call, () => undefined))));
  const left = records.filter(({ owner }) => owner !== undefined && !isAlive(owner));
  await Promise.all(left.map(({ name, instance }) => attempt(name, () => removeIfUnused(deps, name, instance, call))));
  await files.sweep(call);
  return clean;
}

async function recoverHolders(deps: StoreDeps, name: string, thorough: boolean, call: CallOptions): Promise<void> {
  const orphans = await deps.files.locked(name, call, () => {
    if (thorough) {
      deps.files.uses.sweep(name);
      deps.files.holds.sweep(name);
    }
    dropGoneContainers(deps, name);
    return listOrphans(deps, name);
  });
  for (const orphan of orphans) await undoUse(deps, name, orphan, call);
  if (orphans.length === 0) return;
  const record = deps.files.find(name);
  if (record?.owner !== undefined && !isAlive(record.owner)) await removeIfUnused(deps, name, record.instance, call);
}

async function removeIfUnused(deps: StoreDeps, name: string, instance: string, call: CallOptions): Promise<void> {
  if (listHolders(deps, name).length > 0) return;
  await removeVolume(deps, name, { ...call, instance, force: true });
}
