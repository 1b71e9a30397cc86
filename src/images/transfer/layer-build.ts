import type { CallOptions } from '../../util/signals.js';
import { assertDiffId, type Extraction } from '../layer-store.js';
import type { Digest } from '../types.js';
import { fromMessage } from './error-message.js';
import type { LayerToPull, PullDeps } from './pull-deps.js';
import type { Unpacking } from './unpack-here.js';

type BuildDeps = Pick<PullDeps, 'layers' | 'pool' | 'owner' | 'content'>;

/** The file that a layer is read from. */
export interface LayerFile {
  readonly path: string;
  /** Bytes that are in it now. */
  readonly available: number;
  /** What it must hash to; absent for a blob of the store. */
  readonly digest?: Digest;
}

/** `none`: only hash. `wait`: as `none`, for the place can't be made before the layer below is there. */
type Place =
  | { readonly kind: 'none' | 'wait' }
  | { readonly kind: 'direct' | 'detached'; readonly extraction: Extraction };

/** A layer's tree in the making; what is not finished when it is disposed of is gone. */
export class LayerBuild implements AsyncDisposable {
  readonly #deps: BuildDeps;
  readonly #layer: LayerToPull;
  readonly #place: Place;
  readonly #unpacking: Unpacking;

  private constructor(deps: BuildDeps, layer: LayerToPull, place: Place, unpacking: Unpacking) {
    this.#deps = deps;
    this.#layer = layer;
    this.#place = place;
    this.#unpacking = unpacking;
  }

  /** Begins to read the file. `wantsTree`: else its bytes are only hashed. */
  static async begin(
    deps: BuildDeps,
    layer: LayerToPull,
    file: LayerFile,
    wantsTree: boolean,
    call: CallOptions,
  ): Promise<LayerBuild> {
    const place: Place = wantsTree ? await findPlace(deps, layer, call) : { kind: 'none' };
    const unpacking = deps.pool.start({
      ...file,
      size: layer.size,
      diffId: layer.diffId,
      limits: deps.layers.limits,
      ...('extraction' in place ? { target: place.extraction.target, isDetached: place.kind === 'detached' } : {}),
    });
    return new LayerBuild(deps, layer, place, unpacking);
  }

  /** Says how many bytes the file has by now. */
  feed(available: number): void {
    this.#unpacking.feed(available);
  }

  /** Rejects when reading or unpacking can't go on. Never unhandled. */
  get read(): Promise<unknown> {
    return this.#unpacking.done;
  }

  /** The digest of the whole file, whatever is in it; `undefined` when none was asked for. */
  async digest(): Promise<Digest | undefined> {
    return (await this.#unpacking.done).digest;
  }

  /** Throws what is wrong with the content: DIFF_ID_MISMATCH, BAD_ARCHIVE, BAD_LAYER, LAYER_TOO_LARGE. */
  async assertGood(): Promise<void> {
    const { diffId, failure } = await this.#unpacking.done;
    if (failure !== undefined) throw fromMessage(failure);
    assertDiffId(this.#layer, diffId as Digest);
  }

  /** Makes it a layer on the one below, once that is there. The blob must be in the content store. */
  async finish(below: Promise<void>, call: CallOptions): Promise<void> {
    const { layers } = this.#deps;
    const { chainId, parent } = this.#layer;
    if (this.#place.kind === 'none') return;
    await below;
    if (this.#place.kind === 'direct') {
      await layers.commit(chainId, this.#place.extraction, call);
      return;
    }
    const extraction = await layers.prepare(this.#deps.owner, parent, call);
    try {
      const isSettled = this.#place.kind === 'detached' && (await this.#unpacking.settle(extraction.target));
      if (!isSettled) await this.#unpackAgain(extraction);
      await layers.commit(chainId, extraction, call);
    } finally {
      await layers.discard(extraction);
    }
  }

  async #unpackAgain(extraction: Extraction): Promise<void> {
    const { digest, size, diffId } = this.#layer;
    const unpacking = this.#deps.pool.start({
      path: this.#deps.content.path(digest),
      size,
      available: size,
      diffId,
      target: extraction.target,
      limits: this.#deps.layers.limits,
    });
    try {
      assertDiffId(this.#layer, (await unpacking.done).diffId as Digest);
    } finally {
      await unpacking.drop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unpacking.drop();
    if ('extraction' in this.#place) await this.#deps.layers.discard(this.#place.extraction);
  }
}

/** On the layer below where that is there; else beside all layers, which only works where trees are not whole copies. */
async function findPlace({ layers, owner }: BuildDeps, { parent }: LayerToPull, call: CallOptions): Promise<Place> {
  if (parent === undefined || (await layers.has(parent))) {
    return { kind: 'direct', extraction: await layers.prepare(owner, parent, call) };
  }
  const extraction = await layers.prepare(owner, undefined, call);
  if (extraction.target.whiteouts === 'overlay') return { kind: 'detached', extraction };
  await layers.discard(extraction);
  return { kind: 'wait' };
}
