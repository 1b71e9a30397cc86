import { readFileSync } from 'node:fs';

/** Last error message in a JSON log of runc or crun (both write `level` and `msg`, in their own order); `undefined` for none. */
export function lastErrorMessage(text: string): string | undefined {
  let found: string | undefined;
  for (const line of text.split('\n')) {
    const entry = parseLine(line);
    if (entry !== undefined && (entry.level === 'error' || entry.level === 'fatal')) found = entry.msg;
  }
  return found;
}

/** Like {@link lastErrorMessage}, of a file; a missing file has no message. */
export function readLastErrorMessage(path: string): string | undefined {
  try {
    return lastErrorMessage(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The message in what a runtime wrote to stderr: the last line, also where that line is JSON. */
export function messageOfStderr(stderr: string): string {
  const lines = stderr.trim().split('\n');
  return lastErrorMessage(stderr) ?? lines[lines.length - 1] ?? '';
}

function parseLine(line: string): { level: string; msg: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg } = JSON.parse(line) as { level?: unknown; msg?: unknown };
    return typeof level === 'string' && typeof msg === 'string' ? { level, msg } : undefined;
  } catch {
    return undefined;
  }
}
