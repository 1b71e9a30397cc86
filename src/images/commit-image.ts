import { engineError, quote } from '../errors/index.js';
import type { CallOptions } from '../util/signals.js';
import { digestHex } from './digest.js';
import type { ImageDeps } from './image-deps.js';
import type { ImageRecord, PullRef } from './image-record.js';
import { familiarString, type Reference } from './reference.js';
import { setTag } from './tag-image.js';
import { findTag } from './tags.js';

/** Digests of one image that are remembered. */
const MAX_PULLS = 64;

export interface CommitImageOptions extends CallOptions {
  readonly references: readonly Reference[];
  /** Move a name that another image has; else it throws NAME_TAKEN. */
  readonly replaceTags: boolean;
  /** What the event says. @defaultValue `import` */
  readonly action?: 'import' | 'pull';
}

export type CommitDeps = Pick<ImageDeps, 'images' | 'tags' | 'lock' | 'now' | 'emit'>;

/** Makes a stored image visible: its record first, then its names. An image that is there gets a further manifest. */
export async function commitImage(
  deps: CommitDeps,
  image: Omit<ImageRecord, 'importedAt'>,
  options: CommitImageOptions,
): Promise<void> {
  const events: Parameters<ImageDeps['emit']>[0][] = [];
  await deps.lock(async () => {
    if (!options.replaceTags) for (const reference of options.references) assertNameFree(deps, reference, image);
    const key = digestHex(image.id);
    const before = deps.images.find(key);
    const others = before?.manifests.filter(({ digest }) => digest !== image.manifests[0]?.digest) ?? [];
    deps.images.write(key, {
      ...image,
      pulls: mergePulls(image.pulls, before?.pulls),
      manifests: [...image.manifests, ...others],
      importedAt: before?.importedAt ?? deps.now().toISOString(),
    });
    events.push({ type: 'image', action: options.action ?? 'import', id: image.id, attributes: {} });
    for (const reference of options.references) events.push(...setTag(deps, reference, image.id));
  }, options);
  for (const event of events) deps.emit(event);
}

/** The newest first, each once. */
function mergePulls(now: readonly PullRef[] = [], before: readonly PullRef[] = []): readonly PullRef[] | undefined {
  const isSame = (a: PullRef, b: PullRef) =>
    a.repository === b.repository && a.digest === b.digest && a.asked === b.asked;
  const merged = [...now, ...before.filter((old) => !now.some((one) => isSame(one, old)))].slice(0, MAX_PULLS);
  return merged.length === 0 ? undefined : merged;
}

function assertNameFree(deps: CommitDeps, reference: Reference, image: Pick<ImageRecord, 'id'>): void {
  const holder = findTag(deps.tags, reference);
  if (holder === undefined || holder.imageId === image.id) return;
  const name = familiarString(reference);
  throw engineError('NAME_TAKEN', `image name ${quote(name)} belongs to image ${holder.imageId}`, {
    details: { field: 'reference', value: name, holder: holder.imageId },
  });
}
