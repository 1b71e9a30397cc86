import { constants } from 'node:os';
import { engineError, quote } from '../../errors/index.js';
import { signalProcess } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { assertMay } from '../status.js';

// The C library keeps the first two real-time signals for itself.
const RTMIN = 34;
const RTMAX = 64;

/** Sends a signal to the container's init. Throws CONTAINER_NOT_RUNNING. */
export async function killContainer(
  deps: Pick<ContainerDeps, 'repository' | 'emit' | 'exits'>,
  id: string,
  signal: string | number = 'SIGKILL',
  _call: CallOptions = {},
): Promise<void> {
  const record = deps.repository.read(id);
  const number = signalNumber(signal);
  assertMay('kill', record);
  if (record.task !== undefined) signalProcess(record.task.init, number);
  deps.emit({ type: 'container', action: 'kill', id, attributes: { name: record.name, signal: String(signal) } });
}

/** Number of a signal given as `SIGTERM`, `TERM`, `15` or 15. Throws BAD_SIGNAL. */
export function signalNumber(signal: string | number): number {
  const text = String(signal).toUpperCase();
  const numbers: Readonly<Record<string, number>> = constants.signals;
  const number = /^\d+$/.test(text) ? Number(text) : (numbers[text] ?? numbers[`SIG${text}`] ?? realTimeSignal(text));
  if (number === undefined || number < 1 || number > 64) {
    throw engineError('BAD_SIGNAL', `signal ${quote(signal)} does not exist`, {
      details: { field: 'signal', value: signal },
    });
  }
  return number;
}

function realTimeSignal(text: string): number | undefined {
  const match = /^(?:SIG)?RT(?:MIN(?:\+(\d+))?|MAX(?:-(\d+))?)$/.exec(text);
  if (match === null) return undefined;
  const number = text.includes('RTMIN') ? RTMIN + Number(match[1] ?? 0) : RTMAX - Number(match[2] ?? 0);
  return number < RTMIN ? undefined : number;
}
