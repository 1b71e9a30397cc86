import { engineError } from '../errors/index.js';

/** A facet of a later version. Every call rejects with NOT_BUILT_YET. @public */
export interface UnbuiltFacet {
  /** Rejects with NOT_BUILT_YET. */
  create(...args: readonly unknown[]): Promise<never>;
  /** Rejects with NOT_BUILT_YET. */
  get(...args: readonly unknown[]): Promise<never>;
  /** Rejects with NOT_BUILT_YET. */
  list(...args: readonly unknown[]): Promise<never>;
  /** Rejects with NOT_BUILT_YET. */
  remove(...args: readonly unknown[]): Promise<never>;
}

/** Stands where a later version has plugins or networks, so that a call fails with a clear error. */
export function unbuiltFacet(facet: string): UnbuiltFacet {
  const refuse = (verb: string) => async (): Promise<never> => {
    throw engineError('NOT_BUILT_YET', `engine.${facet}.${verb} does not exist in this version`, {
      details: { facet, verb },
    });
  };
  return { create: refuse('create'), get: refuse('get'), list: refuse('list'), remove: refuse('remove') };
}
