import type { Digest } from '../types.js';

/**
 * Where a layer of a pull is. `waiting`: for its turn, or for another process that has it; `downloading`: unpacked as
 * it comes; `verifying`: bytes that were here already are hashed; `extracting`: all bytes are here; `exists`: nothing
 * was to be done. The last two end it. @public
 */
export type LayerStatus = 'waiting' | 'downloading' | 'verifying' | 'extracting' | 'exists' | 'done';

/** One layer of a pull. @public */
export interface LayerProgress {
  /** Of the blob, which is compressed as a rule. */
  readonly digest: Digest;
  /** What is done with it now. */
  readonly status: LayerStatus;
  /** Bytes of the blob that are here. */
  readonly bytes: number;
  /** Size of the layer as it is transferred, bytes. */
  readonly totalBytes: number;
  /** Another process (or another pull of this one) does the work: these are its bytes. */
  readonly isElsewhere: boolean;
}

/** What a pull tells `onProgress`. @public */
export type PullProgress =
  /** The registry was asked; it is known what there is to get. */
  | {
      readonly type: 'resolved';
      /** The full name. */
      readonly reference: string;
      /** What the name stands for at the registry: the digest of an index or a manifest. */
      readonly digest: Digest;
      readonly manifestDigest: Digest;
      readonly layers: readonly LayerProgress[];
    }
  | {
      readonly type: 'layer';
      readonly reference: string;
      /** Place of the layer in the image, the lowest is 0. */
      readonly index: number;
      readonly layer: LayerProgress;
      /** Bytes of all layers that are here. */
      readonly bytes: number;
      readonly totalBytes: number;
    }
  /** The image is stored. */
  | {
      readonly type: 'done';
      readonly reference: string;
      readonly digest: Digest;
      /** The image was here already, unchanged. */
      readonly isUnchanged: boolean;
    };

/** Told what a pull does; what it throws is ignored. @public */
export type OnPullProgress = (progress: PullProgress) => void;

/** Between two reports of one layer's bytes. */
const REPORT_MS = 50;

/** Keeps the numbers of one pull's layers and tells the host, not too often. */
export class PullTracker {
  readonly #reference: string;
  readonly #tell: OnPullProgress | undefined;
  readonly #layers: LayerProgress[] = [];
  readonly #toldAt: number[] = [];

  constructor(reference: string, tell: OnPullProgress | undefined) {
    this.#reference = reference;
    this.#tell = tell;
  }

  resolved(
    digest: Digest,
    manifestDigest: Digest,
    layers: readonly { readonly digest: Digest; readonly size: number }[],
  ): void {
    for (const { digest: blob, size } of layers) {
      this.#layers.push({ digest: blob, status: 'waiting', bytes: 0, totalBytes: size, isElsewhere: false });
    }
    this.#emit({ type: 'resolved', reference: this.#reference, digest, manifestDigest, layers: [...this.#layers] });
  }

  layer(index: number, change: Partial<Pick<LayerProgress, 'status' | 'bytes' | 'isElsewhere'>>): void {
    const before = this.#layers[index] as LayerProgress;
    const layer: LayerProgress = { ...before, ...change };
    if (layer.status === before.status && layer.bytes === before.bytes && layer.isElsewhere === before.isElsewhere)
      return;
    this.#layers[index] = layer;
    if (this.#tell === undefined) return;
    const now = performance.now();
    const isNumberOnly = layer.status === before.status;
    if (isNumberOnly && layer.bytes < layer.totalBytes && now - (this.#toldAt[index] ?? 0) < REPORT_MS) return;
    this.#toldAt[index] = now;
    let bytes = 0;
    let totalBytes = 0;
    for (const one of this.#layers) {
      bytes += one.bytes;
      totalBytes += one.totalBytes;
    }
    this.#emit({ type: 'layer', reference: this.#reference, index, layer, bytes, totalBytes });
  }

  done(digest: Digest, isUnchanged: boolean): void {
    this.#emit({ type: 'done', reference: this.#reference, digest, isUnchanged });
  }

  #emit(progress: PullProgress): void {
    try {
      this.#tell?.(progress);
    } catch {
      // A progress bar that fails is no reason to lose a pull.
    }
  }
}
