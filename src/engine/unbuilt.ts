import { engineError } from '../errors/index.js';

/** Volumes: not built yet. Every call throws NOT_BUILT_YET. @public */
export interface UnbuiltFacet {
  create(...args: readonly unknown[]): Promise<never>;
  get(...args: readonly unknown[]): Promise<never>;
  list(...args: readonly unknown[]): Promise<never>;
  remove(...args: readonly unknown[]): Promise<never>;
}

/** Stands where a later version has volumes, drivers, plugins or networks, so that a call fails with a clear error. */
export function unbuiltFacet(facet: string): UnbuiltFacet {
  const refuse = (verb: string) => async (): Promise<never> => {
    throw engineError('NOT_BUILT_YET', `engine.${facet}.${verb} does not exist in this version`, {
      details: { facet, verb },
    });
  };
  return { create: refuse('create'), get: refuse('get'), list: refuse('list'), remove: refuse('remove') };
}
