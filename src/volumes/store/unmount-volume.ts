import type { CallOptions } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { unmountAttributes } from './events.js';
import { isUncertain } from './failures.js';
import type { Operation } from './ports.js';
import { Patience } from './settle.js';
import { isLiving, type MountFact, type Use } from './uses.js';

type Claimed = Use & { readonly mount: MountFact & { readonly op: Operation } };

/**
 * The holder's mount ends; its hold stays. Nothing mounted, an unknown holder or volume are no error. When the driver
 * fails the mount is still on record and the call may be repeated.
 */
export async function unmountVolume(
  deps: StoreDeps,
  name: string,
  holder: string,
  call: CallOptions,
  hold: 'keep' | 'drop' = 'keep',
): Promise<void> {
  const patience = new Patience(deps);
  while (deps.files.uses.find(name, holder)?.mount !== undefined) {
    const step = await deps.files.locked(name, call, () => claimUnmount(deps, name, holder));
    if (step === undefined) return;
    if ('claimed' in step) return await tellDriver(deps, name, step, call, hold);
    await patience.pause(name, step.running.status, step.running.op, call);
  }
}

/** Undoes what was mounted for a holder that is gone; another holder of the same id that came meanwhile is left alone. */
export async function undoUse(deps: StoreDeps, name: string, orphan: Use, call: CallOptions): Promise<void> {
  const patience = new Patience(deps);
  for (;;) {
    const step = await deps.files.locked(name, call, () => {
      const use = deps.files.uses.find(name, orphan.holder);
      if (use === undefined || isLiving(use) || deps.files.holds.has(name, use.holder)) return undefined;
      if (use.mount !== undefined) return claimUnmount(deps, name, use.holder);
      deps.files.uses.delete(name, use.holder);
      return undefined;
    });
    if (step === undefined) return;
    if ('claimed' in step) return await tellDriver(deps, name, step, call, 'keep');
    await patience.pause(name, step.running.status, step.running.op, call);
  }
}

function claimUnmount(
  deps: StoreDeps,
  name: string,
  holder: string,
): { claimed: Claimed; before: MountFact } | { running: MountFact } | undefined {
  const use = deps.files.uses.find(name, holder);
  if (use?.mount === undefined) return undefined;
  if (deps.operations.isRunning(use.mount.op)) return { running: use.mount };
  const op = deps.operations.begin();
  const claimed: Claimed = { ...use, mount: { ...use.mount, status: 'unmounting', op } };
  try {
    deps.files.uses.write(name, claimed);
  } catch (error) {
    deps.operations.end(op);
    throw error;
  }
  return { claimed, before: use.mount };
}

async function tellDriver(
  deps: StoreDeps,
  name: string,
  { claimed: use, before }: { readonly claimed: Claimed; readonly before: MountFact },
  call: CallOptions,
  hold: 'keep' | 'drop',
): Promise<void> {
  const { op, ...mount } = use.mount;
  try {
    try {
      const driver = await deps.drivers.get(mount.driver, call);
      await driver.unmount({ name, id: mount.id }, call);
    } catch (error) {
      // Of a mount that may never have happened a driver may well say that there is none.
      if (isUncertain(error) || before.status !== 'mounting') {
        const { op: _, ...known }: MountFact = isUncertain(error) ? mount : before;
        await concludeMount(deps, name, use.holder, op, known);
        throw error;
      }
    }
    await concludeMount(deps, name, use.holder, op, undefined, hold);
  } finally {
    deps.operations.end(op);
  }
  if (before.status === 'mounting') return;
  deps.emit({ type: 'volume', action: 'unmount', id: name, attributes: unmountAttributes(mount.driver, use.holder) });
}

/**
 * Writes what became of a holder's mount, if it still is what `op` works on; gives false when it is not. Without a
 * mount only a living process's hold stays in the run dir.
 */
export async function concludeMount(
  deps: StoreDeps,
  name: string,
  holder: string,
  op: Operation,
  mount: MountFact | undefined,
  hold: 'keep' | 'drop' = 'keep',
): Promise<boolean> {
  return await deps.files.locked(name, {}, () => {
    const current = deps.files.uses.find(name, holder);
    if (current?.mount?.op?.token !== op.token) return false;
    if (hold === 'drop') deps.files.holds.delete(name, holder);
    const { mount: _, owner, ...rest } = current;
    const kept = hold === 'keep' && owner !== undefined && isLiving(current) ? { ...rest, owner } : rest;
    if (mount !== undefined) deps.files.uses.write(name, { ...kept, mount });
    else if ('owner' in kept) deps.files.uses.write(name, kept);
    else deps.files.uses.delete(name, holder);
    return true;
  });
}
