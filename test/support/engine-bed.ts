import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Engine, EngineError, type EngineOptions, type ErrorCode } from 'caisson';
import { REASONS, type Reason } from '#src/errors/index.js';
import { makeBusyboxRootfs } from './busybox-rootfs.js';
import { requireBinary, requireRoot } from './require.js';
import { type TempRoot, withTempRoot } from './roots.js';

export interface Bed extends TempRoot {
  readonly engine: Engine;
  /** Opens one more engine on the same root; closed with the bed. */
  open(options?: EngineOptions): Promise<Engine>;
}

/** Name of the image that every bed has: static busybox. */
export const IMAGE = 'test/busybox';

let rootfs: string | undefined;

/** The tree of that image: made once per test file, removed with the process. */
export function busyboxTree(): string {
  if (rootfs === undefined) {
    const dir = mkdtempSync(join(tmpdir(), 'caisson-busybox-'));
    process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
    // Users of the image may enter its root.
    chmodSync(dir, 0o755);
    rootfs = makeBusyboxRootfs(dir);
  }
  return rootfs;
}

/**
 * An open engine on a root of its own with the image in it; afterwards it is closed and what carries the root's path
 * is looked for. Skips where containers can't run. No value is given to the runtime: it is `runc`, which runs anywhere.
 */
export async function withEngine(
  t: TestContext,
  work: (bed: Bed) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  if (!canRun(t)) return;
  await withTempRoot(async (temp) => {
    const engines: Engine[] = [];
    const open = async (more: EngineOptions = {}): Promise<Engine> => {
      const engine = await Engine.open({ defaultRuntime: 'runc', ...placesOf(temp), ...options, ...more });
      engines.push(engine);
      return engine;
    };
    try {
      const engine = await open();
      await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
      await work({ ...temp, engine, open });
    } finally {
      // The youngest has the options of the oldest and more: it can remove what any of them made.
      await removeAll(engines.at(-1), open).finally(() => Promise.all(engines.map((engine) => engine.close())));
    }
  });
}

function placesOf(temp: TempRoot): { root: string; runDir: string } {
  return { root: temp.root, runDir: temp.runDir };
}

/** Durable containers outlive an engine, so a test's are taken away, whatever state it left them in. */
async function removeAll(engine: Engine | undefined, open: () => Promise<Engine>): Promise<void> {
  const usable = await engine?.containers.list().then(
    () => engine,
    () => open(),
  );
  for (const row of (await usable?.containers.list({ all: true })) ?? []) {
    if (row.kind === 'durable') await (await usable?.containers.find(row.id))?.remove({ force: true });
  }
}

/** Root, runc and busybox are there; else skips. */
export function canRun(t: TestContext): boolean {
  return requireRoot(t) && requireBinary(t, 'runc') !== undefined && requireBinary(t, 'busybox') !== undefined;
}

export interface Expected {
  readonly code?: ErrorCode;
  readonly reason: Reason;
  /** What the message must name beside the remedy. */
  readonly names?: readonly (string | RegExp)[];
  readonly exitCode?: number;
}

/** The promise rejects with this typed error, whose message names what it must and ends with the reason's remedy. */
export async function rejectsWith(work: Promise<unknown> | (() => unknown), expected: Expected): Promise<EngineError> {
  let error: unknown;
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error !== undefined, `nothing was thrown; expected ${expected.reason}`);
  if (!EngineError.is(error)) assert.fail(`not an EngineError: ${error instanceof Error ? error.stack : error}`);
  const entry = REASONS[expected.reason];
  assert.equal(error.reason, expected.reason, error.message);
  assert.equal(error.code, expected.code ?? entry.code);
  assert.ok(error.message.endsWith(`: ${entry.remedy}`), `no remedy in: ${error.message}`);
  for (const name of expected.names ?? []) {
    const named = typeof name === 'string' ? error.message.includes(name) : name.test(error.message);
    assert.ok(named, `${name} is not named in: ${error.message}`);
  }
  if (expected.exitCode !== undefined) assert.equal(error.details['exitCode'], expected.exitCode);
  return error;
}

/**
 * Everything in the root and run dir, by path: two listings are equal when nothing was left between them. The trees of
 * layers and containers are left out, since an import brings many files.
 */
export function listing(places: { readonly root: string; readonly runDir: string }): string[] {
  const found: string[] = [];
  const walk = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      found.push(path);
      if (entry.isDirectory() && entry.name !== 'fs' && entry.name !== 'rootfs') walk(path);
    }
  };
  walk(places.root);
  walk(places.runDir);
  // A container's lock file is made with the first call that takes it and goes with the container.
  const isLock = (path: string): boolean =>
    path.includes('/v1/locks/') && existsSync(path.replace('/locks/', '/containers/'));
  return found.filter((path) => !isLock(path)).sort();
}

/** `work` fails as expected and leaves the root and run dir as they were. */
export async function failsCleanly(
  bed: Pick<Bed, 'root' | 'runDir'>,
  work: () => Promise<unknown>,
  expected: Expected,
): Promise<EngineError> {
  const before = listing(bed);
  const error = await rejectsWith(work, expected);
  assert.deepEqual(listing(bed), before);
  return error;
}
