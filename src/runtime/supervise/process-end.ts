import { isAlive, type ProcessIdentity, signalProcess } from '../../os/process-identity.js';
import { type CallOptions, sleep } from '../../util/signals.js';

/** Kills exactly these processes and waits until they are gone; false when one still is there after `timeoutMs`. */
export async function killAndWait(
  processes: readonly ProcessIdentity[],
  timeoutMs: number,
  call: CallOptions = {},
): Promise<boolean> {
  for (const target of processes) signalProcess(target, 'SIGKILL');
  const deadline = Date.now() + timeoutMs;
  for (let delayMs = 1; processes.some(isAlive); delayMs = Math.min(delayMs * 2, 50)) {
    if (Date.now() > deadline) return false;
    await sleep(delayMs, { ...call, keepAlive: true });
  }
  return true;
}
