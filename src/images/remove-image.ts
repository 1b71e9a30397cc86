import { EngineError, engineError, quote } from '../errors/index.js';
import { shortId } from '../util/ids.js';
import type { CallOptions } from '../util/signals.js';
import { collectGarbage } from './collect-garbage.js';
import { chainIdsOf, digestHex } from './digest.js';
import { findByName, findImage, imageNotFound } from './find-image.js';
import type { ImageDeps, ImageEvent, ImageHolders } from './image-deps.js';
import { blobsOf, type ImageRecord } from './image-record.js';
import { familiarString, formatReference, parseReference, type Reference, withDefaultTag } from './reference.js';
import { tagKey, tagsOf } from './tags.js';
import type { Digest } from './types.js';

/** Options of `images.remove`. @public */
export interface RemoveImageOptions extends CallOptions {
  /** Remove an id with all its names, also one that containers use (their layers stay until they go). */
  readonly force?: boolean;
}

/** What a removal did. @public */
export interface RemovedImage {
  /** Names that are gone. */
  readonly untagged: readonly string[];
  /** The image, when its last name went. */
  readonly deleted: Digest | undefined;
}

export type RemoveDeps = ImageDeps & { readonly usedBy: ImageHolders };

/**
 * Removes a name, and with the last name (or by id) the image: its record, the layers and blobs no other image needs.
 * Throws IMAGE_NOT_FOUND, IMAGE_IN_USE (holders), IMAGE_HAS_NAMES for an id with several names.
 */
export async function removeImage(
  deps: RemoveDeps,
  reference: string,
  options: RemoveImageOptions = {},
): Promise<RemovedImage> {
  const events: ImageEvent[] = [];
  const result = await deps.lock(async (): Promise<RemovedImage> => {
    const record = findImage(deps, reference);
    if (record === undefined) throw imageNotFound(reference);
    const names = tagsOf(deps.tags, record.id);
    const name = nameMeant(deps, reference, record);
    using _change = deps.leases.markChange();
    if (name !== undefined && names.length > 1) {
      events.push(...untag(deps, record, [formatReference(name)]));
      return { untagged: [familiarString(name)], deleted: undefined };
    }
    if (!options.force) await assertRemovable(deps, record, name === undefined ? names : [], options);
    // Names go first: a crash in between leaves an unnamed image, never a name without one.
    events.push(...untag(deps, record, names));
    deps.images.delete(digestHex(record.id), { removeDir: true });
    events.push({ type: 'image', action: 'delete', id: record.id, attributes: {} });
    await collectGarbage(deps, { blobs: blobsOf(record), layers: chainIdsOf(record.diffIds) }, options);
    return { untagged: names.map(familiar), deleted: record.id };
  }, options);
  for (const event of events) deps.emit(event);
  return result;
}

/** The tag that the text names; `undefined` when it means the image itself: an id or a digest. */
function nameMeant(deps: ImageDeps, text: string, record: ImageRecord): Reference | undefined {
  try {
    const reference = withDefaultTag(parseReference(text));
    if (reference.digest !== undefined) return undefined;
    return findByName(deps, reference)?.id === record.id ? reference : undefined;
  } catch (error) {
    if (EngineError.is(error, 'INVALID_ARGUMENT')) return undefined;
    throw error;
  }
}

async function assertRemovable(
  deps: RemoveDeps,
  record: ImageRecord,
  names: readonly string[],
  call: CallOptions,
): Promise<void> {
  if (names.length > 1) {
    throw engineError('IMAGE_HAS_NAMES', `image ${record.id} has ${names.length} names`, {
      details: { id: record.id, names: names.map(familiar) },
    });
  }
  const holders = await deps.usedBy(record.id, call);
  if (holders.length > 0) {
    throw engineError(
      'IMAGE_IN_USE',
      `image ${record.id} is used by ${holders.length === 1 ? 'container' : 'containers'} ${holders.slice(0, 5).map(shortId).join(', ')}`,
      {
        details: { id: record.id, holders: [...holders] },
      },
    );
  }
}

function untag(deps: ImageDeps, record: ImageRecord, names: readonly string[]): ImageEvent[] {
  return names.map((name) => {
    deps.tags.delete(tagKey(parseReference(name)), { removeDir: true });
    return { type: 'image', action: 'untag', id: record.id, attributes: { name: familiar(name) } };
  });
}

function familiar(full: string): string {
  return familiarString(parseReference(full));
}

/** Removes one name; the image stays even when it was the last. Throws IMAGE_NOT_FOUND. */
export async function untagImage(deps: ImageDeps, name: string, call: CallOptions = {}): Promise<void> {
  const reference = withDefaultTag(parseReference(name));
  const events = await deps.lock(async () => {
    const record = findByName(deps, reference);
    if (record === undefined || reference.digest !== undefined) {
      throw engineError('IMAGE_NOT_FOUND', `image name ${quote(name)} is not in the store`, {
        details: { field: 'name', value: quote(name) },
      });
    }
    using _change = deps.leases.markChange();
    return untag(deps, record, [formatReference(reference)]);
  }, call);
  for (const event of events) deps.emit(event);
}
