import type { ResolvedImage } from '../../images/types.js';
import type { ContainerOptions } from '../../spec/container-options.js';

/** What a container's root file system is built on: an image's top layer, or a host directory. */
export interface RootParent {
  readonly snapshot: string | undefined;
  readonly options: { readonly lowerDirectory?: string };
}

export function rootParent(options: ContainerOptions, image: Pick<ResolvedImage, 'chainId'> | undefined): RootParent {
  if (options.rootfs !== undefined) return { snapshot: undefined, options: { lowerDirectory: options.rootfs } };
  return { snapshot: image?.chainId, options: {} };
}
