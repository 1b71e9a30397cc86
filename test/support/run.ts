import { type ChildProcess, spawn } from 'node:child_process';

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Variables of ours that the program does not get. */
  readonly unsetEnv?: readonly string[];
  readonly input?: string | Uint8Array;
  /** @defaultValue 30000; then SIGKILL. */
  readonly timeoutMs?: number;
}

/**
 * Runs a real program for a test and collects its output; never throws for a bad exit status. A grandchild that keeps
 * the output open delays the result by a second at most.
 */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
    for (const name of options.unsetEnv ?? []) delete env[name];
    const child = spawn(file, [...args], { cwd: options.cwd, env, stdio: 'pipe' });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    }
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const limit = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
    const done = () => resolve({ code: child.exitCode, signal: child.signalCode, ...output });
    child.on('error', reject);
    child.on('close', done);
    child.on('exit', () => {
      clearTimeout(limit);
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        done();
      }, 1_000).unref();
    });
  });
}

/** Like `run`, but a bad exit status throws with what the program said. */
export async function runOk(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(file, args, options);
  if (result.code !== 0) {
    const ended = result.code ?? result.signal;
    throw new Error(`${file} ${args.join(' ')} ended with ${ended}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

/** Starts a compiled test program (absolute path of a .js file) that talks on stdin and stdout; ended with the test. */
export function startProgram(
  t: { after(work: () => void): void },
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  return child;
}
