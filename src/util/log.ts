import { createRequire } from 'node:module';

export type Log = (message: string, ...values: unknown[]) => void;

const require = createRequire(import.meta.url);
const silent: Log = () => {};

/**
 * Debug log of one part, shown with `DEBUG=caisson:*`. The debug package is loaded only when DEBUG is set:
 * it costs a tenth of the import budget.
 */
export function createLog(part: string): Log {
  if (!process.env['DEBUG']) return silent;
  const createDebug = require('debug') as (namespace: string) => Log;
  return createDebug(`caisson:${part}`);
}
