import * as v from 'valibot';
import { engineError, quote } from '../errors/index.js';
import { checkDocument, DOCUMENT_LIMITS, digestSchema, isPlainObject, parseJson, stringMap } from './documents.js';
import { normalizePlatform } from './platform.js';
import type { Digest, ImageHealthcheck, ImageRunConfig, Platform } from './types.js';

/** One line of an image's history, as the config has it. */
export interface HistoryEntry {
  readonly created: Date | undefined;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly emptyLayer: boolean;
}

/** An image config document, checked. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly created: Date | undefined;
  readonly author: string;
  readonly run: ImageRunConfig;
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** An object with these fields; a list is no object here. */
function objectOf<const T extends v.ObjectEntries>(entries: T) {
  return v.pipe(v.custom<Record<string, unknown>>(isPlainObject, 'not an object'), v.object(entries));
}

const text = v.nullish(v.string(), '');
const noNul = (value: string) => !value.includes('\0');
const cleanText = v.pipe(
  text,
  v.check((value) => noNul(value ?? ''), 'a NUL byte'),
  v.transform((value) => value ?? ''),
);
const cleanTexts = v.pipe(
  v.nullish(v.array(v.pipe(v.string(), v.check(noNul, 'a NUL byte'))), []),
  v.transform((list): readonly string[] => list ?? []),
);
// Early builders wrote a single word where a list belongs; Docker reads both.
const words = v.pipe(
  v.union([
    v.pipe(
      v.string(),
      v.transform((word) => [word]),
    ),
    cleanTexts,
    v.null(),
  ]),
  v.transform((list): readonly string[] => list ?? []),
);
/** Go writes a set as an object with empty objects: only the keys matter. */
const keySet = v.pipe(
  v.nullish(v.custom<Record<string, unknown>>(isPlainObject, 'not an object'), {}),
  v.transform((record): readonly string[] => Object.keys(record ?? {})),
  v.check((keys) => keys.every(noNul), 'a NUL byte'),
);
const duration = v.nullish(v.pipe(v.number(), v.finite()));
const date = v.pipe(
  v.nullish(v.string()),
  v.transform((value) => toDate(value)),
);

const healthcheckSchema = v.pipe(
  v.nullish(
    objectOf({
      Test: v.nullish(v.array(v.string())),
      Interval: duration,
      Timeout: duration,
      StartPeriod: duration,
      StartInterval: duration,
      Retries: duration,
    }),
  ),
  v.transform((found): ImageHealthcheck | undefined => {
    if (found === null || found === undefined) return undefined;
    return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null && value !== undefined));
  }),
);

const runSchema = objectOf({
  User: cleanText,
  Env: cleanTexts,
  Entrypoint: v.optional(words, []),
  Cmd: v.optional(words, []),
  WorkingDir: cleanText,
  Labels: stringMap,
  Volumes: keySet,
  ExposedPorts: keySet,
  StopSignal: cleanText,
  Healthcheck: healthcheckSchema,
});

const historySchema = objectOf({
  created: date,
  created_by: text,
  author: text,
  comment: text,
  empty_layer: v.nullish(v.boolean(), false),
});

const configSchema = v.object({
  architecture: v.pipe(v.string(), v.maxLength(255)),
  os: v.pipe(v.string(), v.maxLength(255)),
  variant: v.nullish(v.pipe(v.string(), v.maxLength(255))),
  created: date,
  author: text,
  config: v.nullish(runSchema),
  rootfs: v.object({
    type: v.literal('layers'),
    diff_ids: v.nullish(v.pipe(v.array(digestSchema), v.maxLength(DOCUMENT_LIMITS.layers)), []),
  }),
  history: v.nullish(v.pipe(v.array(historySchema), v.maxLength(DOCUMENT_LIMITS.historyEntries)), []),
});

const NO_RUN_CONFIG: v.InferOutput<typeof runSchema> = v.parse(runSchema, {});

/** Reads an image config, OCI or Docker. Environment entries stay strings as they are. Throws BAD_MANIFEST. */
export function parseImageConfig(bytes: Uint8Array, what = 'image config'): ImageConfig {
  const found = checkDocument(configSchema, parseJson(bytes, what), what);
  if (found.os === '' || found.architecture === '') {
    throw engineError(
      'BAD_MANIFEST',
      `${what}: field "os" ${quote(found.os)} or "architecture" ${quote(found.architecture)} is empty`,
      {
        details: { document: what, path: found.os === '' ? 'os' : 'architecture' },
      },
    );
  }
  const run = found.config ?? NO_RUN_CONFIG;
  return {
    platform: normalizePlatform({
      os: found.os,
      architecture: found.architecture,
      ...(found.variant ? { variant: found.variant } : {}),
    }),
    created: found.created,
    author: found.author ?? '',
    run: {
      user: run.User,
      env: run.Env,
      entrypoint: run.Entrypoint,
      cmd: run.Cmd,
      workingDir: run.WorkingDir,
      labels: run.Labels,
      volumes: run.Volumes,
      exposedPorts: run.ExposedPorts,
      stopSignal: run.StopSignal === '' ? undefined : run.StopSignal,
      healthcheck: run.Healthcheck,
    },
    diffIds: found.rootfs.diff_ids ?? [],
    history: (found.history ?? []).map((entry) => ({
      created: entry.created,
      createdBy: entry.created_by ?? '',
      author: entry.author ?? '',
      comment: entry.comment ?? '',
      emptyLayer: entry.empty_layer ?? false,
    })),
  };
}

function toDate(value: string | null | undefined): Date | undefined {
  if (!value) return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
