import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RecordStore } from '../state/index.js';
import { digestHex } from './digest.js';
import type { ImageRecord, TagRecord } from './image-record.js';
import { formatReference, type Reference } from './reference.js';
import type { Digest } from './types.js';

/** Record id of a tag: names have slashes and colons, so a hash of the full spelling is the file name. */
export function tagKey(reference: Reference): string {
  return createHash('sha256').update(formatReference(reference)).digest('hex');
}

/** The file that a change of the tag replaces. */
export function tagFile(tags: RecordStore<TagRecord>, reference: Reference): string {
  return join(tags.directory(tagKey(reference)), 'record.json');
}

/** The tag record of exactly this reference. */
export function findTag(tags: RecordStore<TagRecord>, reference: Reference): TagRecord | undefined {
  return tags.find(tagKey(reference));
}

/** Every readable tag. Damaged ones were moved aside by the read. */
export function listTags(tags: RecordStore<TagRecord>): TagRecord[] {
  return [...tags.list().records.values()];
}

/** References of one image, sorted. */
export function tagsOf(tags: RecordStore<TagRecord>, id: Digest): string[] {
  return listTags(tags)
    .filter((tag) => tag.imageId === id)
    .map((tag) => tag.reference)
    .sort();
}

/** The record of an image by its full id. */
export function findImageRecord(images: RecordStore<ImageRecord>, id: Digest): ImageRecord | undefined {
  return images.find(digestHex(id));
}
