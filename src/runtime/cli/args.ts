import { constants } from 'node:os';
import { engineError, quote } from '../../errors/index.js';

/** Arguments before the verb. The JSON log is the only place where a runtime's own errors can't mix with the container's. */
export function globalArgs(root: string, logFile: string | undefined): readonly string[] {
  return logFile === undefined ? ['--root', root] : ['--root', root, '--log', logFile, '--log-format', 'json'];
}

export function runArgs(request: { id: string; bundle: string; pidFile?: string }): readonly string[] {
  return ['run', '--bundle', request.bundle, ...pidFileArgs(request.pidFile), request.id];
}

export function execArgs(request: { id: string; processFile: string; pidFile?: string }): readonly string[] {
  return ['exec', '--process', request.processFile, ...pidFileArgs(request.pidFile), request.id];
}

export function startArgs(id: string): readonly string[] {
  return ['start', id];
}

export function stateArgs(id: string): readonly string[] {
  return ['state', id];
}

export function deleteArgs(id: string): readonly string[] {
  return ['delete', '--force', id];
}

/** Throws BAD_SIGNAL for what is no signal: the word becomes an argument of the runtime. */
export function killArgs(id: string, signal: string | number, all: boolean): readonly string[] {
  return ['kill', ...(all ? ['--all'] : []), id, signalWord(signal)];
}

function signalWord(signal: string | number): string {
  if (typeof signal === 'number') {
    if (Number.isInteger(signal) && signal >= 1 && signal <= 64) return String(signal);
  } else {
    const name = signal.startsWith('SIG') ? signal : `SIG${signal}`;
    const known = (constants.signals as Record<string, number | undefined>)[name];
    if (known !== undefined) return String(known);
    if (/^([1-9]|[1-5][0-9]|6[0-4])$/.test(signal)) return signal;
  }
  throw engineError('BAD_SIGNAL', `signal ${quote(signal)} is not known`, { details: { signal: quote(signal) } });
}

function pidFileArgs(pidFile: string | undefined): readonly string[] {
  return pidFile === undefined ? [] : ['--pid-file', pidFile];
}
