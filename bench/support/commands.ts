import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program through Node's own `spawn`, as a host program without caisson would, and collects its output. */
export function collect(file: string, args: readonly string[], env = process.env): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...output }));
  });
}

/** Like `collect`, but throws unless the program ended well. */
export async function collectOk(file: string, args: readonly string[], env = process.env): Promise<string> {
  const result = await collect(file, args, env);
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result.stdout;
}

/** Runs a program without its output: what it leaves running may keep inherited pipes open. */
export function quietly(file: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'ignore' });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ${args.join(' ')} ended with ${code}`));
    });
  });
}

/** Absolute path of an installed program. */
export function findProgram(name: string): string | undefined {
  const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  for (const directory of [...(process.env['PATH'] ?? '').split(':'), ...directories]) {
    if (directory === '') continue;
    try {
      accessSync(join(directory, name), constants.X_OK);
      return join(directory, name);
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}
