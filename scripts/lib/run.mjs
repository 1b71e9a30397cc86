// Child processes with a time limit, for the scripts. Ends only what it started.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fullPath } from './binaries.mjs';

export const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A message for the person at the terminal: no stack, exit status 1. */
export class Stop extends Error {}

/** Runs a script's main function; a Stop prints its sentence, anything else its stack. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Stop ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * Runs a program quietly. Output goes to a file, never to a pipe: a grandchild that keeps a pipe open can't make us wait.
 * Returns { ok, timedOut, output }.
 */
export function runQuiet(file, args, { timeoutMs, env = {}, cwd = PROJECT }) {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-run-'));
  const log = join(dir, 'output');
  const fd = openSync(log, 'w');
  try {
    const result = spawnSync(file, args, {
      cwd,
      env: { ...process.env, PATH: fullPath(), ...env },
      stdio: ['ignore', fd, fd],
      timeout: timeoutMs,
      killSignal: 'SIGTERM',
    });
    const output = readFileSync(log, 'utf8') + (result.error ? `${result.error.message}\n` : '');
    return { ok: result.status === 0, timedOut: result.error?.code === 'ETIMEDOUT', output };
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The last lines of a tool's output, indented. */
export function tail(output, lines = 15) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}

/**
 * Runs a program in its own process group with our output streams; after the limit the group gets SIGTERM, then
 * SIGKILL. Resolves to { code, timedOut }.
 */
export function runLoud(file, args, { timeoutMs, env = {}, cwd = PROJECT }) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, PATH: fullPath(), ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    let timedOut = false;
    const signalGroup = (signal) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // gone already
      }
    };
    const onInterrupt = () => signalGroup('SIGINT');
    const onTerminate = () => signalGroup('SIGTERM');
    process.on('SIGINT', onInterrupt);
    process.on('SIGTERM', onTerminate);
    let hard;
    const soft = setTimeout(() => {
      timedOut = true;
      signalGroup('SIGTERM');
      hard = setTimeout(() => signalGroup('SIGKILL'), 5_000);
    }, timeoutMs);
    const done = (code) => {
      clearTimeout(soft);
      clearTimeout(hard);
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
      resolve({ code, timedOut });
    };
    child.on('error', (error) => {
      console.error(error.message);
      done(127);
    });
    child.on('exit', (code, signal) => done(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
