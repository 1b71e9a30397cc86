import { readdirSync, renameSync } from 'node:fs';
import { EngineError } from '../errors/index.js';
import { byteString, fsPath } from './byte-string.js';
import { DeferredSteps } from './deferred-steps.js';
import type { Ownership } from './layer-metadata.js';
import type { LayerTarget } from './layer-tree.js';
import { type LayerLimits, LayerWriter } from './layer-writer.js';
import { TarParser } from './tar-parser.js';

export interface LayerUnpackerOptions {
  readonly limits: LayerLimits;
  readonly ownership: Ownership;
  /**
   * The lower layers are not there yet: the target is an empty directory beside the real one, and `settle` finishes.
   * For overlay targets only. @defaultValue false
   */
  readonly detached?: boolean;
}

/** Unpacks a layer archive that is pushed in pieces. Synchronous, so that a thread can do nothing else. */
export class LayerUnpacker {
  readonly #writer: LayerWriter;
  readonly #parser: TarParser;
  readonly #deferred: DeferredSteps | undefined;
  readonly #root: string;

  constructor(target: LayerTarget, options: LayerUnpackerOptions) {
    this.#deferred = options.detached ? new DeferredSteps() : undefined;
    this.#root = byteString(target.path);
    this.#writer = new LayerWriter(target, options.limits, options.ownership, this.#deferred);
    this.#parser = new TarParser(this.#writer);
  }

  /** File data so far, in bytes. */
  get bytes(): number {
    return this.#writer.bytes;
  }

  get entries(): number {
    return this.#writer.entries;
  }

  /** True when the layer has to be unpacked again once those below it are there. More pushes do nothing then. */
  get mustRepeat(): boolean {
    return this.#deferred?.isGivenUp ?? false;
  }

  /** Takes the next bytes. Throws BAD_ARCHIVE, BAD_LAYER, LAYER_TOO_LARGE, DISK_FULL. */
  push(chunk: Uint8Array): void {
    if (!this.mustRepeat) this.#try(() => this.#parser.push(chunk));
  }

  /** Says that the archive ends here; throws BAD_ARCHIVE when it is in the middle of something. */
  end(): void {
    if (this.mustRepeat) return;
    this.#try(() => this.#parser.end());
    if (this.#deferred === undefined) this.#writer.finish();
  }

  /** What an entry may not do can depend on what is below it: only the second attempt knows. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.#deferred === undefined || !EngineError.is(error, 'DATA_LOSS', 'BAD_LAYER')) throw error;
      this.#deferred.giveUp();
    }
  }

  /**
   * Finishes a detached layer: does what waited for the lower ones, and moves the tree into `target`, a directory of the
   * same file system. False when the layer has to be unpacked again; then `target` is as it was.
   */
  settle(target: LayerTarget): boolean {
    let isSettled = false;
    if (!this.mustRepeat) {
      this.#try(() => {
        isSettled = this.#writer.settle(target.lowerPaths);
      });
    }
    if (!isSettled) return false;
    const to = byteString(target.path);
    for (const name of readdirSync(fsPath(this.#root), 'latin1')) {
      renameSync(fsPath(`${this.#root}/${name}`), fsPath(`${to}/${name}`));
    }
    this.#writer.finishAt(target.path);
    return true;
  }

  /** Closes the file that is being written, if any. */
  close(): void {
    this.#writer.close();
  }
}
