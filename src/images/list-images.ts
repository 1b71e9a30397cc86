import type { CallOptions } from '../util/signals.js';
import { findImage, imageNotFound } from './find-image.js';
import type { ImageDeps } from './image-deps.js';
import type { ImageRecord } from './image-record.js';
import { type ImageSummary, summarize } from './image-summary.js';
import { familiarName, familiarString, parseReference } from './reference.js';
import { readConfig } from './resolve-image.js';
import { listTags } from './tags.js';

/** Which images; all filters that are given must fit. @public */
export interface ListImagesOptions extends CallOptions {
  /** Names, or patterns of them with `*` and `?`, compared with the familiar name with and without tag: `alpine*`, `*:3.22`. */
  readonly reference?: string | readonly string[];
  /** True: only images without a name; false: only those with one. */
  readonly dangling?: boolean;
  /** Only with these labels in their config; `true`: any value. */
  readonly labels?: Readonly<Record<string, string | true>>;
  /** Reference of an image: only those built before it. */
  readonly before?: string;
  /** Reference of an image: only those built after it. */
  readonly since?: string;
}

/** Images that pass every filter, the newest first. Damaged records are left out. */
export function listImages(
  deps: Pick<ImageDeps, 'images' | 'tags' | 'content'>,
  options: ListImagesOptions = {},
): ImageSummary[] {
  const tags = listTags(deps.tags);
  const patterns = toList(options.reference).map(globExpression);
  const labels = Object.entries(options.labels ?? {});
  const before = timeOf(deps, options.before);
  const since = timeOf(deps, options.since);
  const found: ImageSummary[] = [];
  for (const record of deps.images.list().records.values()) {
    const summary = summarize(record, tags);
    const time = timeStamp(record);
    if (options.dangling !== undefined && options.dangling !== (summary.references.length === 0)) continue;
    if (patterns.length > 0 && !summary.references.some((name) => matchesAny(patterns, name))) continue;
    if (before !== undefined && time >= before) continue;
    if (since !== undefined && time <= since) continue;
    if (labels.length > 0 && !hasLabels(deps, record, labels)) continue;
    found.push(summary);
  }
  return found.sort((a, b) => newestFirst(a, b));
}

function newestFirst(a: ImageSummary, b: ImageSummary): number {
  const order = (b.createdAt ?? b.importedAt).getTime() - (a.createdAt ?? a.importedAt).getTime();
  return order !== 0 ? order : a.id < b.id ? -1 : 1;
}

function toList(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function matchesAny(patterns: readonly RegExp[], familiar: string): boolean {
  const name = familiarName(parseReference(familiar));
  const full = parseReference(familiar);
  const canonical = `${full.domain}/${full.path}`;
  const candidates = [familiarString(full), name, canonical, canonical + familiarString(full).slice(name.length)];
  return patterns.some((pattern) => candidates.some((candidate) => pattern.test(candidate)));
}

/** Stars do not match slashes, as in Docker's patterns. */
function globExpression(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${source}$`);
}

function hasLabels(
  deps: Pick<ImageDeps, 'content'>,
  record: ImageRecord,
  wanted: readonly (readonly [string, string | true])[],
): boolean {
  const { labels } = readConfig(deps, record).run;
  return wanted.every(([key, value]) => (value === true ? labels.has(key) : labels.get(key) === value));
}

function timeOf(deps: Pick<ImageDeps, 'images' | 'tags'>, reference: string | undefined): number | undefined {
  if (reference === undefined) return undefined;
  const record = findImage(deps, reference);
  if (record === undefined) throw imageNotFound(reference);
  return timeStamp(record);
}

function timeStamp(record: ImageRecord): number {
  return Date.parse(record.created ?? record.importedAt);
}
