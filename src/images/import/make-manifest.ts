import { digestOf } from '../digest.js';
import type { BlobRef } from '../image-record.js';
import { MEDIA_TYPES } from '../media-types.js';
import type { ImageRunConfig, Platform } from '../types.js';
import type { StoredDocument } from './store-image.js';

/** An OCI manifest over stored blobs; the same blobs give the same bytes. */
export function makeManifest(config: StoredDocument, layers: readonly BlobRef[]): StoredDocument {
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: config.mediaType, digest: digestOf(config.bytes), size: config.bytes.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: MEDIA_TYPES.ociManifest };
}

/** What a made image's config says. */
export interface MadeConfig {
  readonly platform: Platform;
  /** ISO; in reproducible images not the time of now. */
  readonly created: string;
  readonly createdBy: string;
  readonly run: Partial<ImageRunConfig>;
  readonly diffIds: readonly string[];
}

/** An OCI image config; the same input gives the same bytes, labels and sets are sorted. */
export function makeConfig(options: MadeConfig): StoredDocument {
  const { run, platform } = options;
  const sorted = (keys: Iterable<string>) => [...keys].sort();
  const config: [string, unknown][] = [];
  const add = (key: string, value: unknown, present: boolean) => present && config.push([key, value]);
  const set = (keys: readonly string[]) => fromPairs(sorted(keys).map((key) => [key, {}]));
  add('User', run.user, (run.user ?? '') !== '');
  add('ExposedPorts', set(run.exposedPorts ?? []), (run.exposedPorts?.length ?? 0) > 0);
  add('Env', run.env, (run.env?.length ?? 0) > 0);
  add('Entrypoint', run.entrypoint, (run.entrypoint?.length ?? 0) > 0);
  add('Cmd', run.cmd, (run.cmd?.length ?? 0) > 0);
  add('Volumes', set(run.volumes ?? []), (run.volumes?.length ?? 0) > 0);
  add('WorkingDir', run.workingDir, (run.workingDir ?? '') !== '');
  const labels = [...(run.labels ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  add('Labels', fromPairs(labels), labels.length > 0);
  add('StopSignal', run.stopSignal, run.stopSignal !== undefined);
  const document = {
    created: options.created,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: fromPairs(config),
    rootfs: { type: 'layers', diff_ids: options.diffIds },
    history: options.diffIds.map(() => ({ created: options.created, created_by: options.createdBy })),
  };
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType: MEDIA_TYPES.ociConfig };
}

/** An object whose keys may be anything, `__proto__` too. */
function fromPairs(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of pairs) object[key] = value;
  return object;
}
