import type { Writable } from 'node:stream';
import { engineError } from '../../errors/index.js';
import { shortId } from '../../util/ids.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { assertMay } from '../status.js';

/** Opens the stdin of a running durable container that was created with `openStdin`. Throws CONTAINER_NOT_RUNNING, NO_STDIN, STDIN_CLOSED. */
export async function openContainerStdin(
  deps: Pick<ContainerDeps, 'repository' | 'supervisors'>,
  id: string,
  call: CallOptions = {},
): Promise<Writable> {
  throwIfAborted(call.signal);
  const record = deps.repository.read(id);
  if (record.options.openStdin !== true) {
    throw engineError('NO_STDIN', `container ${shortId(id)} was created without openStdin`, {
      details: { id, field: 'openStdin' },
    });
  }
  assertMay('stdin', record);
  // A running container has a task; its record is checked no deeper than that.
  if (record.task === undefined) throw engineError('BUG', `container ${shortId(id)} runs without a task`);
  return deps.supervisors.get(record.supervisor).openStdin(record.task, call);
}
