import { statSync } from 'node:fs';
import type { ResolvedImage } from '../../images/types.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { badField } from '../../spec/index.js';

/** What a container's root file system is built on: an image's top layer, or a host directory. Throws BAD_OPTION for one that is none. */
export interface RootParent {
  readonly snapshot: string | undefined;
  readonly options: { readonly lowerDirectory?: string };
}

export function rootParent(options: ContainerOptions, image: Pick<ResolvedImage, 'chainId'> | undefined): RootParent {
  if (options.rootfs !== undefined) {
    if (!statSync(options.rootfs, { throwIfNoEntry: false })?.isDirectory()) {
      throw badField('BAD_OPTION', 'rootfs', options.rootfs, 'is not a directory of this host');
    }
    return { snapshot: undefined, options: { lowerDirectory: options.rootfs } };
  }
  return { snapshot: image?.chainId, options: {} };
}
