import type { CallOptions } from '../util/signals.js';

/** `sha256:` and 64 lower-case hex digits. @public */
export type Digest = `sha256:${string}`;

/** OCI platform. @public */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Health check of an image config; times in nanoseconds as on the wire. @public */
export interface ImageHealthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/**
 * What an image says about the process to run: the part of the image config that may reach a container.
 * Foreign data, checked against a schema; record types are Maps because keys are foreign.
 *
 * @public
 */
export interface ImageRunConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  readonly stopSignal: string | undefined;
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
