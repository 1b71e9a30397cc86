import type { ResolvedConfig } from '../config/index.js';
import type { ContainerVolumes } from '../containers/volumes/port.js';
import type { EventInput } from '../events/index.js';
import { LegacyPlugins } from '../plugins/index.js';
import type { Layout } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';
import { DriverStore } from '../volumes/drivers/index.js';
import { VolumeStore } from '../volumes/store/index.js';
import type { VolumeDriver } from '../volumes/volume-driver.js';

/** Volumes and their drivers, as the parts of an engine use them. */
export interface VolumeParts {
  /** What the host registers; without the built-in driver. */
  readonly hostDrivers: DriverStore;
  /** The volumes of the root; opened with the first call. */
  store(): Promise<VolumeStore>;
  /** All drivers of the root. */
  drivers(): Promise<DriverStore>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface VolumePartsDeps {
  readonly layout: Layout;
  readonly drivers: HostDrivers;
  /** True while something stands for a container's id. */
  readonly isKnown: (id: string) => boolean;
  readonly emit: (event: EventInput) => void;
}

export interface HostDrivers {
  readonly store: DriverStore;
  readonly plugins: LegacyPlugins;
}

/**
 * Checks the host's drivers; contacts nobody, touches nothing. Throws BAD_DRIVER, DRIVER_EXISTS.
 */
export async function openHostDrivers(
  config: Pick<ResolvedConfig, 'root' | 'runDir' | 'pluginSocketDirs' | 'pluginSpecDirs'>,
  drivers: readonly VolumeDriver[],
): Promise<HostDrivers> {
  const { root, runDir, pluginSocketDirs: socketDirs, pluginSpecDirs: specDirs } = config;
  const plugins = await LegacyPlugins.open({ ...(socketDirs && { socketDirs }), ...(specDirs && { specDirs }) });
  const store = await DriverStore.open({ drivers, plugins, protectedDirs: [root, runDir] });
  return { store, plugins };
}

/** An engine that needs no volume makes and reads nothing for them. */
export function makeVolumeParts({ layout, drivers, isKnown, emit }: VolumePartsDeps): VolumeParts {
  interface Opened {
    readonly store: VolumeStore;
    readonly drivers: DriverStore;
  }
  let opening: Promise<Opened> | undefined;
  const open = async (): Promise<Opened> => {
    let own = drivers.store;
    const store = await VolumeStore.open({
      root: layout.root,
      runDir: layout.run,
      drivers: {
        withBuiltIn: (local) => {
          own = drivers.store.withBuiltIn(local);
          return own;
        },
      },
      holderExists: ({ id }) => isKnown(id),
      emit,
    });
    return { store, drivers: own };
  };
  const opened = (): Promise<Opened> => {
    if (opening === undefined) {
      const mine = open();
      opening = mine;
      // A failure is not kept: the disk may have room the next time.
      mine.catch(() => {
        if (opening === mine) opening = undefined;
      });
    }
    return opening;
  };
  return {
    hostDrivers: drivers.store,
    store: async () => (await opened()).store,
    drivers: async () => (await opened()).drivers,
    close: async () => {
      const last = await opening?.catch(() => undefined);
      await last?.store.close();
      await last?.drivers.close();
      await drivers.store.close();
      await drivers.plugins.close();
    },
  };
}

/** Until when a call may wait. */
interface Closing {
  orClosing(call?: CallOptions): { readonly signal: AbortSignal };
}

/**
 * The volumes as containers use them: an engine that closes does not wait for a driver to make or mount one. What gives
 * back goes on.
 */
export function containerVolumes(volumes: Pick<VolumeStore, keyof ContainerVolumes>, live: Closing): ContainerVolumes {
  return {
    create: (wanted) => volumes.create({ ...wanted, ...live.orClosing(wanted) }),
    hold: (name, holder, call) => volumes.hold(name, holder, live.orClosing(call)),
    mount: (name, { holder, ...call }) => volumes.mount(name, { holder, ...live.orClosing(call) }),
    unmount: (name, holderId, call) => volumes.unmount(name, holderId, toCall(call)),
    release: (name, holderId, call) => volumes.release(name, holderId, toCall(call)),
    remove: (name, call) => volumes.remove(name, toCall(call)),
  };
}

/** A verb of containers passes its options on, and the store refuses those that it does not know. */
function toCall({ signal }: CallOptions = {}): CallOptions {
  return signal === undefined ? {} : { signal };
}
