import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from 'caisson';
import { findProgram } from './commands.js';
import type { SuiteContext } from './suite.js';

export const IMAGE = 'bench:latest';
const CGROUP_PARENT = '/caisson-bench';
const APPLETS = ['sh', 'true', 'sleep', 'echo', 'cat'];

export interface BenchEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly runDir: string;
}

type OpenOptions = NonNullable<Parameters<typeof Engine.open>[0]>;

/** An engine on a root of its own, with one small image. */
export async function openBenchEngine(
  context: Pick<SuiteContext, 'dir' | 'runtime'>,
  options: OpenOptions = {},
): Promise<BenchEngine> {
  const runDir = join(context.dir, 'run');
  const engine = await Engine.open({ ...engineOptions(context), runDir, ...options });
  if ((await engine.images.find(IMAGE)) === undefined) await importImage(engine);
  return { engine, runDir, [Symbol.asyncDispose]: () => engine.close() };
}

export function engineOptions(context: Pick<SuiteContext, 'dir' | 'runtime'>): OpenOptions {
  return { root: join(context.dir, 'root'), defaultRuntime: context.runtime, cgroupParent: CGROUP_PARENT };
}

async function importImage(engine: Engine): Promise<void> {
  const busybox = findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed');
  const links = Object.fromEntries(APPLETS.map((applet) => [`/usr/bin/${applet}`, busybox]));
  await engine.images.fromHost({ executables: [busybox], links, reference: IMAGE });
}

/** Removes the empty cgroups that benchmarks leave, so that the machine is as it was. */
export function removeBenchCgroups(): void {
  const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
  for (const hierarchy of new Set(hierarchies)) {
    for (const parent of [CGROUP_PARENT, '/caisson-bench-raw']) removeEmpty(join(hierarchy, parent));
  }
}

function removeEmpty(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmpty(join(directory, entry.name));
  }
  try {
    rmdirSync(directory);
  } catch {
    // Something still runs in it.
  }
}
