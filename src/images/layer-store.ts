import type { DecompressLimits, LayerLimits } from '../archive/index.js';
import { EngineError, engineError } from '../errors/index.js';
import type { LayerTarget, Snapshotter, SnapshotUsage } from '../snapshots/snapshotter.js';
import { newToken } from '../util/ids.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { Rollback } from '../util/rollback.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { isDigest } from './digest.js';
import type { Digest } from './types.js';

/** A layer to have: what it is built on, what it must unpack to, and its bytes. */
export interface LayerRequest {
  readonly parent: Digest | undefined;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Opens the layer's bytes, compressed or not; called only when the layer is not there. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Token of the lease that this import holds: it names the extraction snapshot. */
  readonly owner: string;
}

/** Caps on what one layer or archive may unpack to. */
export interface UnpackLimits {
  readonly layer?: Partial<LayerLimits>;
  readonly decompress?: DecompressLimits;
}

/** A place that a layer is unpacked into. */
export interface Extraction {
  readonly key: string;
  readonly target: LayerTarget;
}

const EXTRACT_KEY = /^extract-([a-f0-9]{16})-[a-f0-9]{16}$/;

/** Layers as committed snapshots, named by their chain ids. */
export class LayerStore {
  readonly #snapshotter: Snapshotter;
  readonly #limits: UnpackLimits;
  readonly #unpacking = new KeyedMutex();

  constructor(snapshotter: Snapshotter, limits: UnpackLimits = {}) {
    this.#snapshotter = snapshotter;
    this.#limits = limits;
  }

  async has(chainId: Digest): Promise<boolean> {
    return (await this.#snapshotter.find(chainId))?.kind === 'committed';
  }

  /**
   * Makes sure that the layer is there: true when this call unpacked it. Within a process a layer is unpacked once,
   * whoever asks; two processes may both unpack it, and the commit of the second is a no-op.
   * Throws DIFF_ID_MISMATCH, BAD_LAYER, BAD_ARCHIVE, LAYER_TOO_LARGE; then nothing of it stays.
   */
  ensure(request: LayerRequest, call: CallOptions = {}): Promise<boolean> {
    return this.#unpacking.run(
      request.chainId,
      async () => {
        if (await this.has(request.chainId)) return false;
        await this.#unpack(request, call);
        return true;
      },
      call,
    );
  }

  async #unpack(request: LayerRequest, call: CallOptions): Promise<void> {
    throwIfAborted(call.signal);
    // Only those who import need it: a host that runs containers of images it has never loads the tar reader.
    const { unpackInto } = await import('./unpack-layer.js');
    await using undo = new Rollback();
    const key = `extract-${request.owner}-${newToken()}`;
    undo.defer(() => this.#snapshotter.remove(key));
    await this.#snapshotter.prepare(key, request.parent, { ...call, transient: true });
    const target = await this.#snapshotter.layerTarget(key);
    const actual = await unpackInto(target, request.open(), this.#limits, call);
    assertDiffId(request, actual);
    await this.#snapshotter.commit(request.chainId, key, call);
    undo.disarm();
  }

  /**
   * A place to unpack a layer into that only the caller has; it ends by `commit` or `discard`. Without `parent` it is
   * beside all layers. `owner`: token of the lease that names it.
   */
  async prepare(owner: string, parent: Digest | undefined, call: CallOptions = {}): Promise<Extraction> {
    const key = `extract-${owner}-${newToken()}`;
    await this.#snapshotter.prepare(key, parent, { ...call, transient: true });
    return { key, target: await this.#snapshotter.layerTarget(key) };
  }

  /** Makes what was unpacked the layer with this chain id, durably. One that is there already stays. */
  async commit(chainId: Digest, extraction: Extraction, call: CallOptions = {}): Promise<void> {
    await this.#snapshotter.commit(chainId, extraction.key, call);
  }

  /** Idempotent. */
  async discard(extraction: Extraction): Promise<void> {
    await this.#snapshotter.remove(extraction.key);
  }

  get limits(): UnpackLimits {
    return this.#limits;
  }

  /** Checks, for a layer that was there already, that these bytes are the same. Throws DIFF_ID_MISMATCH. */
  async verify(request: Pick<LayerRequest, 'diffId' | 'chainId' | 'open'>, call: CallOptions = {}): Promise<void> {
    const { plainDigest } = await import('./unpack-layer.js');
    assertDiffId(request, await plainDigest(request.open(), this.#limits, call));
  }

  /** Own bytes and inodes of a layer; `undefined` when it is not there. */
  async usage(chainId: Digest, call: CallOptions = {}): Promise<SnapshotUsage | undefined> {
    try {
      return await this.#snapshotter.usage(chainId, call);
    } catch (error) {
      if (EngineError.is(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Removes a layer; false when snapshots are built on it (a container, another image's layer). Idempotent. */
  async remove(chainId: Digest, call: CallOptions = {}): Promise<boolean> {
    try {
      await this.#snapshotter.remove(chainId, call);
      return true;
    } catch (error) {
      if (EngineError.is(error, 'CONFLICT', 'SNAPSHOT_IN_USE')) return false;
      throw error;
    }
  }

  /** Chain ids of all layers, and what dead imports (those not in `live`) left half unpacked. */
  async survey(live: ReadonlySet<string>): Promise<{ layers: Digest[]; stale: string[] }> {
    const layers: Digest[] = [];
    const stale: string[] = [];
    for (const { key, kind } of await this.#snapshotter.list()) {
      const owner = EXTRACT_KEY.exec(key)?.[1];
      if (owner !== undefined && !live.has(owner)) stale.push(key);
      else if (kind === 'committed' && isDigest(key)) layers.push(key);
    }
    return { layers, stale };
  }

  /** Removes a half unpacked layer that `survey` found. */
  async removeStale(key: string): Promise<void> {
    await this.#snapshotter.remove(key);
  }
}

/** Throws DIFF_ID_MISMATCH. */
export function assertDiffId(request: Pick<LayerRequest, 'diffId' | 'chainId'>, actual: Digest): void {
  const { diffId, chainId } = request;
  if (actual === diffId) return;
  throw engineError('DIFF_ID_MISMATCH', `layer with diff id ${diffId} unpacks to ${actual}`, {
    details: { expected: diffId, actual, chainId },
  });
}
