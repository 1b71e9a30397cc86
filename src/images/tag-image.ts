import type { CallOptions } from '../util/signals.js';
import { findImage, imageNotFound } from './find-image.js';
import type { ImageDeps, ImageEvent } from './image-deps.js';
import { assertNewName } from './new-name.js';
import { familiarString, formatReference, type Reference } from './reference.js';
import { findTag, tagKey } from './tags.js';
import type { Digest } from './types.js';

export type TagDeps = Pick<ImageDeps, 'images' | 'tags' | 'leases' | 'lock' | 'now' | 'emit'>;

/** Gives the image that `reference` means the further name `name`; a name that another image has moves. Idempotent. */
export async function tagImage(deps: TagDeps, reference: string, name: string, call: CallOptions = {}): Promise<void> {
  const target = assertNewName('name', name);
  let events: ImageEvent[] = [];
  await deps.lock(async () => {
    const image = findImage(deps, reference);
    if (image === undefined) throw imageNotFound(reference);
    using _change = deps.leases.markChange();
    events = setTag(deps, target, image.id);
  }, call);
  for (const event of events) deps.emit(event);
}

/** Points a name at an image; the caller holds the store's lock. Returns what happened. */
export function setTag(deps: Pick<ImageDeps, 'tags' | 'now'>, reference: Reference, imageId: Digest): ImageEvent[] {
  const before = findTag(deps.tags, reference);
  if (before?.imageId === imageId) return [];
  const full = formatReference(reference);
  deps.tags.write(tagKey(reference), { reference: full, imageId, updatedAt: deps.now().toISOString() });
  const name = familiarString(reference);
  const tagged: ImageEvent = { type: 'image', action: 'tag', id: imageId, attributes: { name } };
  if (before === undefined) return [tagged];
  return [{ type: 'image', action: 'untag', id: before.imageId, attributes: { name } }, tagged];
}
