import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { escapeOverlayPath, makePrivateDir } from '../os/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { type InodeAttributes, readAttributes } from '../os/trees/inode-attributes.js';
import { encodeKey } from './names.js';
import type { SnapshotStore } from './snapshot-store.js';

// The kernel stacks 500 lower directories at most.
const DEPTH_MAX = 500;
const LINK_CHARACTERS = 8;

/** A committed layer with all below it. Immutable, so it is read once. */
export interface LayerChain {
  /** The trees, top first. */
  readonly lowerPaths: readonly string[];
  /** The same as the value of the overlay option `lowerdir`, by short links. */
  readonly lowerDir: string;
  readonly topLink: string;
  /** Of the top layer's root directory. */
  readonly root: InodeAttributes;
}

/** Knows the chains of committed layers and keeps the short links that name them in mount options. */
export class LayerChains {
  readonly #store: SnapshotStore;
  readonly #links: string;
  readonly #known = new Map<string, LayerChain>();

  constructor(store: SnapshotStore) {
    this.#store = store;
    this.#links = `${store.dir}/l`;
    makePrivateDir(this.#links);
  }

  /** Throws SNAPSHOT_NOT_FOUND and, when a layer below is missing, SNAPSHOT_CORRUPT. */
  get(name: string): LayerChain {
    const known = this.#known.get(name);
    // Those below have a child as long as the top one is there, so only that one can be gone. Looked for by its link.
    if (known !== undefined && statSync(known.topLink, { throwIfNoEntry: false }) !== undefined) return known;
    this.#known.delete(name);
    const chain = this.#read(name);
    this.#known.set(name, chain);
    return chain;
  }

  /** A layer was removed: its link may go. */
  forget(name: string): void {
    this.#known.delete(name);
    this.#removeDangling(`${this.#links}/${linkName(name, 0)}`);
  }

  /** Removes links that lead nowhere. */
  sweepLinks(): void {
    for (const entry of readdirSync(this.#links)) this.#removeDangling(`${this.#links}/${entry}`);
  }

  #removeDangling(link: string): void {
    if (statSync(link, { throwIfNoEntry: false }) !== undefined) return;
    try {
      unlinkSync(link);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  #read(name: string): LayerChain {
    const names: string[] = [];
    for (let one: string | undefined = name; one !== undefined; one = this.#parentOf(one, name)) {
      if (names.length >= DEPTH_MAX) {
        throw engineError('SNAPSHOT_CORRUPT', `snapshot ${quote(name)} has more than ${DEPTH_MAX} layers`, {
          details: { key: name },
        });
      }
      names.push(one);
    }
    const root = readAttributes(this.#store.committed(name).fs);
    const links = names.map((one) => this.#ensureLink(one));
    return {
      root,
      topLink: links[0] as string,
      lowerPaths: names.map((one) => this.#store.committed(one).fs),
      lowerDir: links.map(escapeOverlayPath).join(':'),
    };
  }

  #parentOf(name: string, top: string): string | undefined {
    if (name === top) return this.#store.readCommitted(name).parent;
    try {
      return this.#store.readCommitted(name).parent;
    } catch (cause) {
      throw engineError('SNAPSHOT_CORRUPT', `layer ${quote(name)} below snapshot ${quote(top)} can't be read`, {
        details: { key: top, layer: name },
        cause,
      });
    }
  }

  // Links are made when first needed and named after the layer, so that all processes agree without a record of them.
  #ensureLink(name: string): string {
    const target = `../committed/${encodeKey(name)}/fs`;
    for (let attempt = 0; ; attempt++) {
      const link = `${this.#links}/${linkName(name, attempt)}`;
      try {
        symlinkSync(target, link);
        return link;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        if (readlinkSync(link) === target) return link;
      }
    }
  }
}

// Two names with one link are possible, by accident or on purpose: then the next of the series is taken.
function linkName(name: string, attempt: number): string {
  return createHash('sha256').update(`${attempt}\0${name}`).digest('base64url').slice(0, LINK_CHARACTERS);
}
