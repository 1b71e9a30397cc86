import { engineError } from '../errors/index.js';
import { assertKnownOptions, type KnownOptions } from '../util/known-options.js';
import type { CallOptions } from '../util/signals.js';
import type { FromHostOptions } from './from-host/from-host.js';
import type { ImageHistoryEntry } from './image-history.js';
import type { ImageStore } from './image-store.js';
import type { ImageDetails, ImageSummary } from './image-summary.js';
import type { ImportImageOptions, LoadImagesOptions } from './import/import-image.js';
import type { ImageInput } from './import/open-source.js';
import type { ListImagesOptions } from './list-images.js';
import type { RemovedImage, RemoveImageOptions } from './remove-image.js';
import type { PullImageOptions } from './transfer/pull-options.js';

const LOAD: KnownOptions<LoadImagesOptions> = {
  signal: true,
  format: true,
  select: true,
  platform: true,
  replaceTags: true,
};
const IMPORT: KnownOptions<ImportImageOptions> = { ...LOAD, reference: true, config: true };
const PULL: KnownOptions<PullImageOptions> = {
  signal: true,
  platform: true,
  policy: true,
  onProgress: true,
  auth: true,
  verify: true,
  maxConcurrentDownloads: true,
};
const FROM_HOST: KnownOptions<FromHostOptions> = {
  signal: true,
  executables: true,
  files: true,
  links: true,
  reference: true,
  replaceTags: true,
  env: true,
  entrypoint: true,
  cmd: true,
  workingDir: true,
  user: true,
  labels: true,
  volumes: true,
  exposedPorts: true,
  stopSignal: true,
};
const LIST: KnownOptions<ListImagesOptions> = {
  signal: true,
  reference: true,
  dangling: true,
  labels: true,
  before: true,
  since: true,
};
const REMOVE: KnownOptions<RemoveImageOptions> = { signal: true, force: true };

/** The engine's door. */
interface Gate {
  /** Throws CLOSED. */
  assertOpen(): void;
  /** Does work that close awaits. Throws CLOSED. */
  call<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Images of an engine's root, shared by all processes that have it open. A `reference` argument is a name
 * (`alpine`, `registry.example/team/app:1.2`, `name@sha256:…`; no tag means `latest`), a digest, an id or the
 * unique beginning of an id. Each method rejects with CLOSED once the engine is closed, BAD_REFERENCE for a reference
 * that is none, UNKNOWN_OPTION for an option that does not exist.
 *
 * @public
 */
export class Images {
  readonly #store: ImageStore;
  readonly #gate: Gate;

  private constructor(store: ImageStore, gate: Gate) {
    this.#store = store;
    this.#gate = gate;
  }

  /** For the engine. @internal */
  static make(store: ImageStore, gate: Gate): Images {
    return new Images(store, gate);
  }

  /**
   * Imports one image from an OCI layout (directory or tar), a docker archive (`docker save`), a directory of skopeo,
   * or a root file system (directory or tar); archives may be compressed with gzip or zstd, and may come as a stream.
   * Every digest is verified. Nothing stays of an import that fails. Importing the same image again changes nothing.
   *
   * Throws SOURCE_NOT_FOUND, BAD_SOURCE, SEVERAL_IMAGES, NO_MATCHING_PLATFORM, BAD_ARCHIVE, BAD_MANIFEST, BAD_LAYER,
   * DIGEST_MISMATCH, SIZE_MISMATCH, DIFF_ID_MISMATCH, UNSUPPORTED_MEDIA_TYPE, LAYER_TOO_LARGE, NAME_TAKEN, DISK_FULL.
   */
  async import(source: ImageInput, options: ImportImageOptions = {}): Promise<ImageSummary> {
    this.#gate.assertOpen();
    assertKnownOptions(options, IMPORT);
    return this.#gate.call(() => this.#store.import(source, options));
  }

  /** Imports every image of a source: `docker load` for all formats. Names that other images have move. Throws as `import`. */
  async load(source: ImageInput, options: LoadImagesOptions = {}): Promise<readonly ImageSummary[]> {
    this.#gate.assertOpen();
    assertKnownOptions(options, LOAD);
    return this.#gate.call(() => this.#store.load(source, options));
  }

  /**
   * Makes an image of executables of this host with their loaders and libraries, in one layer. The same files give the
   * same image, with `createdAt` 1970 (or SOURCE_DATE_EPOCH). Throws LIBRARY_NOT_FOUND, SOURCE_NOT_FOUND, BAD_SOURCE,
   * BAD_OPTION, NAME_TAKEN, DISK_FULL.
   */
  async fromHost(options: FromHostOptions): Promise<ImageSummary> {
    this.#gate.assertOpen();
    assertKnownOptions(options, FROM_HOST);
    return this.#gate.call(() => this.#store.fromHost(options));
  }

  /** The image that a reference means. Throws IMAGE_NOT_FOUND, AMBIGUOUS_ID. */
  async get(reference: string): Promise<ImageSummary> {
    this.#gate.assertOpen();
    return this.#store.get(reference);
  }

  /** Like `get`, but `undefined` when there is none. Throws AMBIGUOUS_ID. */
  async find(reference: string): Promise<ImageSummary | undefined> {
    this.#gate.assertOpen();
    return this.#store.find(reference);
  }

  /** Images that pass every filter, the newest first. Throws IMAGE_NOT_FOUND for a `before` or `since` that is not there. */
  async list(options: ListImagesOptions = {}): Promise<readonly ImageSummary[]> {
    this.#gate.assertOpen();
    assertKnownOptions(options, LIST);
    return this.#store.list(options);
  }

  /** Everything about an image: its config and layers too. Throws IMAGE_NOT_FOUND, AMBIGUOUS_ID. */
  async inspect(reference: string): Promise<ImageDetails> {
    this.#gate.assertOpen();
    return this.#store.inspect(reference);
  }

  /** How an image was built, the newest step first. Throws IMAGE_NOT_FOUND, AMBIGUOUS_ID. */
  async history(reference: string): Promise<readonly ImageHistoryEntry[]> {
    this.#gate.assertOpen();
    return this.#store.history(reference);
  }

  /** Gives an image a further name; a name that another image has moves. Idempotent. Throws IMAGE_NOT_FOUND, AMBIGUOUS_ID. */
  async tag(reference: string, name: string, call: CallOptions = {}): Promise<void> {
    await this.#gate.call(() => this.#store.tag(reference, name, call));
  }

  /** Takes a name away; the image stays, nameless when it was the last. Throws IMAGE_NOT_FOUND when there is no such name. */
  async untag(name: string, call: CallOptions = {}): Promise<void> {
    await this.#gate.call(() => this.#store.untag(name, call));
  }

  /**
   * Removes a name, and with the last one the image and what only it used. By id it removes the image, which may
   * have one name at most unless `force`. Throws IMAGE_NOT_FOUND, IMAGE_IN_USE (details.holders: container ids),
   * IMAGE_HAS_NAMES.
   */
  async remove(reference: string, options: RemoveImageOptions = {}): Promise<RemovedImage> {
    this.#gate.assertOpen();
    assertKnownOptions(options, REMOVE);
    return this.#gate.call(() => this.#store.remove(reference, options));
  }

  /**
   * Gets an image from its registry and resolves when it is stored and verified. What is here already is not fetched
   * again; an unchanged image costs one small request. Several processes that pull the same share one download, and go
   * on with it where one dies. Layers are unpacked as they arrive, in threads. What an unfinished pull brought is kept
   * for a day for the next one.
   *
   * Throws IMAGE_NOT_FOUND (policy `never`), IMAGE_REFUSED, NO_MATCHING_PLATFORM, BAD_MANIFEST, UNSUPPORTED_MEDIA_TYPE,
   * DIGEST_MISMATCH, SIZE_MISMATCH, DIFF_ID_MISMATCH, BAD_ARCHIVE, BAD_LAYER, LAYER_TOO_LARGE, BAD_OPTION, DISK_FULL,
   * CANCELED, and what the registry says.
   */
  async pull(reference: string, options: PullImageOptions = {}): Promise<ImageSummary> {
    this.#gate.assertOpen();
    assertKnownOptions(options, PULL);
    return this.#gate.call(() => this.#store.pull(reference, options));
  }

  /** Not built yet: throws NOT_BUILT_YET. */
  async push(_reference: string, _options: CallOptions = {}): Promise<never> {
    throw notBuilt('push');
  }

  /** Not built yet: throws NOT_BUILT_YET. */
  async save(_references: readonly string[], _options: CallOptions = {}): Promise<never> {
    throw notBuilt('save');
  }

  /** Not built yet: throws NOT_BUILT_YET. */
  async prune(_options: CallOptions = {}): Promise<never> {
    throw notBuilt('prune');
  }
}

function notBuilt(verb: string): Error {
  return engineError('NOT_BUILT_YET', `engine.images.${verb} does not exist in this version`, {
    details: { facet: 'images', verb },
  });
}
