import { existsSync } from 'node:fs';
import { type LogEntry, readLog } from '../../logs/index.js';
import type { ContainerDeps } from '../deps.js';
import type { LogOptions } from '../log-options.js';
import { isLive } from '../status.js';
import { waitContainer } from './wait.js';

/** Output of a durable container. With `follow` it goes on until the current run ends, or the first one. */
export async function* containerLogs(deps: ContainerDeps, id: string, options: LogOptions): AsyncGenerator<LogEntry> {
  const record = deps.repository.read(id);
  const path = `${deps.repository.directory(id)}/ctr.log`;
  const mayWrite = isLive(record.status) || record.status === 'created' || record.status === 'starting';
  const follow = options.follow === true && mayWrite;
  if (!follow && !existsSync(path)) return;
  const stopWaiting = new AbortController();
  const ended = follow
    ? waitContainer(deps, id, { signal: stopWaiting.signal }).then(
        () => {},
        () => {},
      )
    : Promise.resolve();
  try {
    yield* readLog({ ...options, path, follow, ended });
  } finally {
    stopWaiting.abort();
  }
}
