import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from 'caisson';
import { collectOk, findProgram, quietly } from './commands.js';
import type { RuntimeName } from './suite.js';

// biome-ignore lint/suspicious/noExplicitAny: a foreign document, of which a few fields are replaced.
type Config = any;

export interface RawBundleOptions {
  /** Where the bundles go. */
  readonly dir: string;
  /** Run directory of the engine. */
  readonly runDir: string;
  readonly image: string;
  /** The runtime that the config is made for: for crun the engine hands the seccomp filter over compiled. */
  readonly configFor: RuntimeName;
}

/**
 * What the engine hands to the runtime, copied out of a running container: the same config.json on a root file system
 * that is prepared already. What is measured with it is the runtime alone.
 */
export class RawBundles {
  readonly #config: Config;
  readonly #dir: string;
  readonly #rootfs: string;

  private constructor(config: Config, dir: string, rootfs: string) {
    this.#config = config;
    this.#dir = dir;
    this.#rootfs = rootfs;
  }

  static async capture(engine: Engine, options: RawBundleOptions): Promise<RawBundles> {
    const { dir, configFor, image } = options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    await using box = await engine.containers.ephemeral({ image, command: ['sleep', '600'], runtime: configFor });
    const bundle = findBundle(options.runDir, box.id);
    const rootfs = join(dir, 'rootfs');
    cpSync(join(bundle, 'rootfs'), rootfs, { recursive: true, verbatimSymlinks: true });
    const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
    for (const mount of config.mounts) {
      if (typeof mount.source !== 'string' || !mount.source.startsWith(`${bundle}/`)) continue;
      const copy = join(dir, mount.source.slice(bundle.length + 1).replaceAll('/', '-'));
      cpSync(mount.source, copy);
      mount.source = copy;
    }
    return new RawBundles(config, dir, rootfs);
  }

  /** A bundle of its own that runs `args`; several may run at once. */
  make(name: string, args: readonly string[]): string {
    const bundle = join(this.#dir, name);
    mkdirSync(bundle, { recursive: true });
    const config: Config = structuredClone(this.#config);
    config.process.args = args;
    config.root.path = this.#rootfs;
    config.linux.cgroupsPath = `/caisson-bench-raw/${name}`;
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    return bundle;
  }
}

/** A runtime's command line, used as directly as it can be. */
export class RawRuntime {
  readonly path: string;
  readonly #root: string;
  #runs = 0;

  constructor(runtime: RuntimeName, root: string) {
    const path = findProgram(runtime);
    if (path === undefined) throw new Error(`${runtime} is not installed`);
    this.path = path;
    this.#root = root;
  }

  newId(): string {
    return `bench-${process.pid}-${this.#runs++}`;
  }

  /** `run` in the foreground; resolves with its output. */
  run(bundle: string): Promise<string> {
    return collectOk(this.path, ['--root', this.#root, 'run', '--bundle', bundle, this.newId()]);
  }

  /** `run --detach`. */
  async start(id: string, bundle: string): Promise<void> {
    await quietly(this.path, ['--root', this.#root, 'run', '--detach', '--bundle', bundle, id]);
  }

  create(id: string, bundle: string): Promise<void> {
    return quietly(this.path, ['--root', this.#root, 'create', '--bundle', bundle, id]);
  }

  startCreated(id: string): Promise<void> {
    return quietly(this.path, ['--root', this.#root, 'start', id]);
  }

  exec(id: string, args: readonly string[]): Promise<string> {
    return collectOk(this.path, ['--root', this.#root, 'exec', id, ...args]);
  }

  delete(id: string): Promise<void> {
    return quietly(this.path, ['--root', this.#root, 'delete', '--force', id]);
  }
}

function findBundle(runDir: string, id: string): string {
  for (const session of readdirSync(join(runDir, 'sessions'))) {
    const bundle = join(runDir, 'sessions', session, 'c', id);
    if (existsSync(join(bundle, 'config.json'))) return bundle;
  }
  throw new Error(`no bundle of container ${id} below ${runDir}`);
}
