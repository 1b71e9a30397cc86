import { openRootfsReader, type ResolvedUser, resolveUser } from '../../spec/index.js';

/** Who a container runs as, resolved from the image's own files once per image and user: images don't change. */
export class UserCache {
  #known = new Map<string, ResolvedUser>();

  /** `imageId` undefined: the tree may change between containers, so nothing is kept. */
  resolve(
    rootfs: string,
    imageId: string | undefined,
    user: string,
    groups: readonly (string | number)[],
  ): ResolvedUser {
    const key = imageId === undefined ? undefined : JSON.stringify([imageId, user, groups]);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const resolved = resolveUser(openRootfsReader(rootfs), user, groups);
    if (key !== undefined) {
      if (this.#known.size > 1000) this.#known.clear();
      this.#known.set(key, resolved);
    }
    return resolved;
  }
}
