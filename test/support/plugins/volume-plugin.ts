import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type {
  PluginBehaviour,
  PluginControl,
  PluginListen,
  PluginProcessConfig,
  RecordedCall,
} from './plugin-behaviour.js';

export type { PluginBehaviour, RecordedCall } from './plugin-behaviour.js';

export interface VolumePluginOptions {
  /** A directory of the test: state, volumes and (unless `listen`) the sockets are in it. */
  readonly dir: string;
  /** @defaultValue `testvol` */
  readonly name?: string;
  /** @defaultValue a unix socket `<dir>/plugins/<name>.sock`. Port 0: any free one, on 127.0.0.1. */
  readonly listen?: PluginListen;
  /** @defaultValue `['VolumeDriver']` */
  readonly implements?: readonly string[];
  /** @defaultValue `local` */
  readonly scope?: string;
}

const PROGRAM = join(import.meta.dirname, 'volume-plugin-process.js');

/**
 * A real volume plugin: a process of its own behind a real socket, that keeps volumes as directories and misbehaves
 * when told to.
 *
 * ```ts
 * const dir = tempDir(t, 'plugin');
 * const plugin = await startVolumePlugin(t, { dir });            // <dir>/plugins/testvol.sock
 * const plugins = LegacyPlugins.open({ socketDirs: [plugin.socketDir], specDirs: [] });
 * await plugin.behave('VolumeDriver.Mount', { kind: 'hung' });   // until another behaviour, or for `times` calls; '*': all methods
 * await plugin.behave('VolumeDriver.Mount', { kind: 'normal' });
 * (await plugin.calls()).map((call) => call.method);             // what it was asked, in order
 * await plugin.restart({ implements: ['NetworkDriver'] });       // SIGKILL and a new process; volumes are still there
 * await plugin.kill();                                           // SIGKILL; the socket file stays, nobody listens
 * ```
 *
 * Unlike forgiving plugins it refuses: a Remove while mounted, an Unmount with an id that holds nothing, anything but
 * Create for an unknown volume. It shows a Mountpoint only while a volume is mounted. Ended with the test.
 */
export async function startVolumePlugin(
  t: { after(work: () => void): void },
  options: VolumePluginOptions,
): Promise<VolumePlugin> {
  const plugin = new VolumePlugin(options);
  t.after(() => plugin.killNow());
  await plugin.start();
  return plugin;
}

export class VolumePlugin {
  readonly name: string;
  /** Directory of the unix socket: what `socketDirs` wants. */
  readonly socketDir: string;
  readonly socket: string;
  #config: PluginProcessConfig;
  #child: ChildProcess | undefined;
  #port = 0;
  #lastId = 0;

  constructor(options: VolumePluginOptions) {
    this.name = options.name ?? 'testvol';
    const listen = options.listen ?? { socket: join(options.dir, 'plugins', `${this.name}.sock`) };
    this.socket = 'socket' in listen ? listen.socket : '';
    this.socketDir = dirname(this.socket);
    this.#config = {
      dir: options.dir,
      name: this.name,
      listen,
      implements: options.implements ?? ['VolumeDriver'],
      scope: options.scope ?? 'local',
    };
  }

  /** TCP port, where it listens on one. */
  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Host path of a volume's content. */
  pathOf(volume: string): string {
    return join(this.#config.dir, 'volumes', volume);
  }

  /** `method`: `VolumeDriver.Mount`, or `*` for all that have no behaviour of their own. */
  async behave(method: string, behaviour: PluginBehaviour, times = Number.MAX_SAFE_INTEGER): Promise<void> {
    await this.#control({ id: ++this.#lastId, do: 'behave', method, behaviour, times });
  }

  /** Another manifest from the next activation on, in the same process. */
  async implement(types: readonly string[]): Promise<void> {
    await this.#control({ id: ++this.#lastId, do: 'implement', types });
  }

  /** Requests since the process started (or `forgetCalls`). */
  async calls(): Promise<readonly RecordedCall[]> {
    return (await this.#control({ id: ++this.#lastId, do: 'calls' })) as readonly RecordedCall[];
  }

  async forgetCalls(): Promise<void> {
    await this.#control({ id: ++this.#lastId, do: 'forget-calls' });
  }

  /** SIGKILL; its socket file stays, as after a crash. */
  async kill(): Promise<void> {
    const child = this.#child;
    child?.kill('SIGKILL');
    await this.ended();
  }

  killNow(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Waits until it ended by itself (behaviour `dies`). */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    await once(child, 'exit');
  }

  /** SIGKILL, then a new process at the same address: normal behaviour, the same volumes. */
  async restart(changes: Partial<Pick<PluginProcessConfig, 'implements' | 'scope'>> = {}): Promise<void> {
    await this.kill();
    this.#config = { ...this.#config, ...changes };
    await this.start();
  }

  async start(): Promise<void> {
    mkdirSync(this.#config.dir, { recursive: true });
    if (this.socket !== '') mkdirSync(this.socketDir, { recursive: true, mode: 0o700 });
    const listen =
      'port' in this.#config.listen && this.#port !== 0
        ? { ...this.#config.listen, port: this.#port }
        : this.#config.listen;
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ ...this.#config, listen })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.setMaxListeners(0);
    const ready = await new Promise<{ port: number }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { port: number }));
      child.once('exit', (code) => reject(new Error(`the plugin ended while starting: ${code}`)));
    });
    this.#port = ready.port;
    // A test may end without ending it: the channel must not keep the test process.
    child.unref();
    child.channel?.unref();
  }

  #control(message: PluginControl): Promise<unknown> {
    const child = this.#child;
    if (child === undefined) throw new Error('the plugin is not started');
    return new Promise((resolve, reject) => {
      child.channel?.ref();
      const end = () => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        child.channel?.unref();
      };
      const onMessage = (reply: unknown) => {
        const { id, result } = reply as { id: number; result: unknown };
        if (id !== message.id) return;
        end();
        resolve(result);
      };
      const onExit = () => {
        end();
        reject(new Error(`the plugin ended before it did ${message.do}`));
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(message, (error) => {
        if (error === null) return;
        end();
        reject(error);
      });
    });
  }
}
