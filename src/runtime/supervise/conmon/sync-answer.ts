import { readFileSync } from 'node:fs';

/** What conmon says of the create: the pid of the container's init, or why there is none. */
export type SyncAnswer = { readonly pid: number } | { readonly message: string };

/** The answer in the sync file; `undefined` while there is no whole line. */
export function readSyncAnswer(path: string): SyncAnswer | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const end = text.indexOf('\n');
  return end < 0 ? undefined : parseSyncAnswer(text.slice(0, end));
}

/** Parses one line. conmon leaves some control bytes of the message unescaped, so it is not always JSON. */
export function parseSyncAnswer(line: string): SyncAnswer {
  let pid = Number(/^\{\s*"data":\s*(-?\d+)/.exec(line)?.[1] ?? '-1');
  let message = '';
  try {
    const value = JSON.parse(line) as { data?: unknown; message?: unknown };
    if (typeof value.data === 'number') pid = value.data;
    if (typeof value.message === 'string') message = value.message;
  } catch {
    message = /"message":\s*"(.*)"\s*\}\s*$/s.exec(line)?.[1] ?? line;
  }
  return pid > 0 ? { pid } : { message: message.trim() };
}
