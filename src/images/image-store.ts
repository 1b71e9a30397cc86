import { join } from 'node:path';
import { engineError } from '../errors/index.js';
import type { Snapshotter } from '../snapshots/snapshotter.js';
import { ensureDirectory, RecordStore, withFileLock } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';
import { ContentStore } from './content-store.js';
import { checkDocument } from './documents.js';
import { findImage, imageNotFound } from './find-image.js';
import type { FromHostOptions } from './from-host/from-host.js';
import type { ImageDeps, ImageEvent, ImageHolders } from './image-deps.js';
import { historyOf, type ImageHistoryEntry } from './image-history.js';
import { type ImageRecord, imageRecordSchema, type TagRecord, tagRecordSchema } from './image-record.js';
import { type ImageDetails, type ImageSummary, inspectRecord, summarize } from './image-summary.js';
import type { ImportImageOptions, LoadImagesOptions } from './import/import-image.js';
import type { ImageInput } from './import/open-source.js';
import { LayerStore, type UnpackLimits } from './layer-store.js';
import { Leases, type StoreLock } from './leases.js';
import { type ListImagesOptions, listImages } from './list-images.js';
import { recoverImages, sweepImages } from './recover-images.js';
import { type RemovedImage, type RemoveImageOptions, removeImage, untagImage } from './remove-image.js';
import { ImageResolver } from './resolve-image.js';
import { tagImage } from './tag-image.js';
import { listTags } from './tags.js';
import type { ConnectRegistry } from './transfer/blob-source.js';
import { PartialBlobs } from './transfer/partial-blobs.js';
import type { PullImageOptions } from './transfer/pull-options.js';
import type { UnpackPool } from './transfer/unpack-pool.js';
import type { Digest, ImageSource, ResolvedImage } from './types.js';

export interface ImageStoreOptions {
  /** The store's own directory; made when missing. */
  readonly dir: string;
  /** For copies of sources that can't be read in place; this store's alone. @defaultValue in `dir` */
  readonly tempDir?: string;
  /** Keeps the unpacked layers. */
  readonly snapshotter: Snapshotter;
  /** Containers that use an image: an image with holders is not removed without force. */
  readonly usedBy?: ImageHolders;
  readonly now?: () => Date;
  readonly emit?: (event: ImageEvent) => void;
  readonly limits?: UnpackLimits;
  /** Speaks to registries; without it nothing can be pulled. */
  readonly connect?: ConnectRegistry;
}

const RECORD_VERSION = 1;

/**
 * The images of one root: content by digest, unpacked layers, records and names. Any number of processes may use one
 * store at once.
 */
export class ImageStore implements ImageSource {
  readonly #deps: ImageDeps;
  readonly #usedBy: ImageHolders;
  readonly #limits: UnpackLimits;
  readonly #resolver: ImageResolver;
  readonly #options: ImageStoreOptions;
  #pool: UnpackPool | undefined;

  private constructor(deps: ImageDeps, options: ImageStoreOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#usedBy = options.usedBy ?? (() => []);
    this.#limits = options.limits ?? {};
    this.#resolver = new ImageResolver(deps);
  }

  /**
   * Opens a store. Reads nothing of what is in it; `recover()` is a call of its own.
   */
  static open(options: ImageStoreOptions): ImageStore {
    const { dir } = options;
    ensureDirectory(dir, { durable: true });
    const lockFile = join(dir, 'lock');
    const lock: StoreLock = (work, call = {}) => withFileLock(lockFile, work, call);
    const deps: ImageDeps = {
      images: new RecordStore<ImageRecord>({
        dir: join(dir, 'images'),
        kind: 'image',
        schemaVersion: RECORD_VERSION,
        parse: (value) => checkDocument(imageRecordSchema, value, 'image record'),
        durable: true,
      }),
      tags: new RecordStore<TagRecord>({
        dir: join(dir, 'tags'),
        kind: 'image name',
        schemaVersion: RECORD_VERSION,
        parse: (value) => checkDocument(tagRecordSchema, value, 'image name record'),
        durable: true,
      }),
      content: ContentStore.open({ dir: join(dir, 'content'), tempDir: options.tempDir }),
      layers: new LayerStore(options.snapshotter, options.limits),
      partials: new PartialBlobs(join(dir, 'content/partial')),
      leases: new Leases(join(dir, 'leases'), lock),
      lock,
      now: options.now ?? (() => new Date()),
      emit: options.emit ?? (() => {}),
    };
    return new ImageStore(deps, options);
  }

  /** Removes what imports of dead processes left. Cheap when there is nothing. */
  recover(call: CallOptions = {}): Promise<void> {
    return recoverImages(this.#deps, call);
  }

  /** Removes all content and layers that neither an image nor a running import needs. */
  sweep(call: CallOptions = {}): Promise<void> {
    return sweepImages(this.#deps, call);
  }

  /**
   * Imports one image from an OCI layout (directory or tar), a docker archive, a directory of skopeo or a root file
   * system (directory or tar); archives may be compressed. Nothing stays of an import that fails.
   *
   * Throws SOURCE_NOT_FOUND, BAD_SOURCE, SEVERAL_IMAGES, NO_MATCHING_PLATFORM, BAD_ARCHIVE, BAD_MANIFEST, BAD_LAYER,
   * DIGEST_MISMATCH, SIZE_MISMATCH, DIFF_ID_MISMATCH, UNSUPPORTED_MEDIA_TYPE, LAYER_TOO_LARGE, NAME_TAKEN, DISK_FULL.
   */
  async import(source: ImageInput, options: ImportImageOptions = {}): Promise<ImageSummary> {
    const { importImages } = await import('./import/import-image.js');
    const [id] = await importImages(this.#deps, this.#plan(source, options, false));
    return this.get(id as Digest);
  }

  /**
   * Gets an image from its registry: what is here already is not fetched again, and what an unfinished pull brought, of
   * this process or another, is used. Other processes that pull the same wait and go on where this one dies.
   *
   * Throws BAD_REFERENCE, BAD_OPTION, IMAGE_NOT_FOUND (policy `never`), IMAGE_REFUSED, NO_MATCHING_PLATFORM,
   * BAD_MANIFEST, UNSUPPORTED_MEDIA_TYPE, DIGEST_MISMATCH, SIZE_MISMATCH, DIFF_ID_MISMATCH, BAD_ARCHIVE, BAD_LAYER,
   * LAYER_TOO_LARGE, DISK_FULL, and what the registry says.
   */
  async pull(reference: string, options: PullImageOptions = {}): Promise<ImageSummary> {
    const [{ pullImage }, { UnpackPool }] = await Promise.all([
      import('./transfer/pull-image.js'),
      import('./transfer/unpack-pool.js'),
    ]);
    this.#pool ??= new UnpackPool();
    const { connect } = this.#options;
    if (connect === undefined)
      throw engineError('NO_REGISTRY_CLIENT', 'the image store was opened without a registry client');
    return this.get(await pullImage({ ...this.#deps, pool: this.#pool, connect }, reference, options));
  }

  /** Imports every image of a source, `docker load` for all formats; names that other images have move. Throws as `import`. */
  async load(source: ImageInput, options: LoadImagesOptions = {}): Promise<readonly ImageSummary[]> {
    const { importImages } = await import('./import/import-image.js');
    const ids = await importImages(this.#deps, this.#plan(source, options, true));
    return ids.map((id) => this.get(id));
  }

  #plan(input: ImageInput, options: ImportImageOptions, several: boolean) {
    return { input, options, several, limits: this.#limits.decompress ?? {} };
  }

  /**
   * Makes an image of executables of this host with their libraries, reproducibly. Throws LIBRARY_NOT_FOUND,
   * SOURCE_NOT_FOUND, BAD_SOURCE, BAD_OPTION.
   */
  async fromHost(options: FromHostOptions): Promise<ImageSummary> {
    const { imageFromHost } = await import('./from-host/from-host.js');
    return this.get(await imageFromHost(this.#deps, options));
  }

  /** What a container needs of an image; from memory while its name points where it did. Throws IMAGE_NOT_FOUND, BAD_REFERENCE, AMBIGUOUS_ID. */
  async resolve(reference: string, _call: CallOptions = {}): Promise<ResolvedImage> {
    return this.#resolver.resolve(reference);
  }

  /** The image with this name, digest or (start of an) id. Throws IMAGE_NOT_FOUND, BAD_REFERENCE, AMBIGUOUS_ID. */
  get(reference: string): ImageSummary {
    return this.find(reference) ?? fail(imageNotFound(reference));
  }

  /** Like `get`, but `undefined` when there is none. */
  find(reference: string): ImageSummary | undefined {
    const record = findImage(this.#deps, reference);
    return record === undefined ? undefined : summarize(record, listTags(this.#deps.tags));
  }

  /** Images that pass every filter, the newest first. */
  list(options: ListImagesOptions = {}): readonly ImageSummary[] {
    return listImages(this.#deps, options);
  }

  /** Everything about an image. Throws as `get`. */
  inspect(reference: string): ImageDetails {
    const record = this.#record(reference);
    return inspectRecord(this.#deps, record, listTags(this.#deps.tags));
  }

  /** How an image was built, the newest step first. Throws as `get`. */
  history(reference: string): readonly ImageHistoryEntry[] {
    return historyOf(this.#deps, this.#record(reference));
  }

  /** Gives an image a further name; a name that another image has moves. Idempotent. Throws as `get`. */
  tag(reference: string, name: string, call: CallOptions = {}): Promise<void> {
    return tagImage(this.#deps, reference, name, call);
  }

  /** Takes a name away; the image stays, unnamed when it was the last. Throws IMAGE_NOT_FOUND. */
  untag(name: string, call: CallOptions = {}): Promise<void> {
    return untagImage(this.#deps, name, call);
  }

  /**
   * Removes a name, and with the last one the image and what only it used. By id it removes the image, which may
   * have one name at most unless forced. Throws IMAGE_NOT_FOUND, IMAGE_IN_USE (details.holders), IMAGE_HAS_NAMES.
   */
  remove(reference: string, options: RemoveImageOptions = {}): Promise<RemovedImage> {
    return removeImage({ ...this.#deps, usedBy: this.#usedBy }, reference, options);
  }

  #record(reference: string): ImageRecord {
    const record = findImage(this.#deps, reference);
    return record ?? fail(imageNotFound(reference));
  }
}

function fail(error: Error): never {
  throw error;
}
