import type { CallOptions } from '../util/signals.js';

/** `sha256:` and 64 lower-case hex digits. @public */
export type Digest = `sha256:${string}`;

/** OCI platform. @public */
export interface Platform {
  /** As Go names it: `linux`. */
  readonly os: string;
  /** As Go names it: `amd64`, `arm64`… */
  readonly architecture: string;
  /** `v7`, `v8`… */
  readonly variant?: string;
}

/** Health check of an image config; times in nanoseconds as on the wire. @public */
export interface ImageHealthcheck {
  /** `NONE`, `CMD` with arguments, or `CMD-SHELL` with a command line. */
  readonly Test?: readonly string[];
  /** Between checks. */
  readonly Interval?: number;
  /** Of one check. */
  readonly Timeout?: number;
  /** After the start, failures don't count that long. */
  readonly StartPeriod?: number;
  /** Between checks in the start period. */
  readonly StartInterval?: number;
  /** Failures in a row that make a container unhealthy. */
  readonly Retries?: number;
}

/**
 * What an image says about the process to run: the part of the image config that may reach a container.
 * Foreign data, checked against a schema; record types are Maps because keys are foreign.
 *
 * @public
 */
export interface ImageRunConfig {
  /** `name`, `uid`, `name:group` or `uid:gid`; empty: root. */
  readonly user: string;
  /** Entries `NAME=value`. */
  readonly env: readonly string[];
  /** What runs first; `command` or `cmd` follow as its arguments. */
  readonly entrypoint: readonly string[];
  /** Command of containers that name none. */
  readonly cmd: readonly string[];
  /** Absolute; empty: `/`. */
  readonly workingDir: string;
  /** Labels of the image; its containers don't get them. */
  readonly labels: ReadonlyMap<string, string>;
  /** Absolute paths that are meant to be volumes. */
  readonly volumes: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  /** What `stop` sends first. */
  readonly stopSignal: string | undefined;
  /** Not run yet. */
  readonly healthcheck: ImageHealthcheck | undefined;
}

/** An image as a container needs it. @public */
export interface ResolvedImage {
  /** Digest of the image config: the image id. */
  readonly id: Digest;
  /** Digest of the manifest that was stored. */
  readonly manifestDigest: Digest;
  readonly platform: Platform;
  readonly config: ImageRunConfig;
  readonly diffIds: readonly Digest[];
  /** Snapshot name of the top layer: its chain id. `undefined` for an image without layers. */
  readonly chainId: Digest | undefined;
}

/** What containers need of the image store. @public */
export interface ImageSource {
  /** Finds by reference, digest or id prefix; throws IMAGE_NOT_FOUND, BAD_REFERENCE, AMBIGUOUS_ID. Cached in memory; sees tags moved by other processes. */
  resolve(reference: string, call?: CallOptions): Promise<ResolvedImage>;
}
