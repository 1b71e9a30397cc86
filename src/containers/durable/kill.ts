import { signalProcess } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { signalNumber } from '../signal-number.js';
import { assertMay } from '../status.js';

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
