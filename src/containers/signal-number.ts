import { constants } from 'node:os';
import { engineError, quote } from '../errors/index.js';

// The C library keeps the first two real-time signals for itself.
const RTMIN = 34;
const RTMAX = 64;

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
