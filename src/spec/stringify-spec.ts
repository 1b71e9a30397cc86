import { closeSync, openSync, writeSync } from 'node:fs';
import type { OciProcess, OciSeccomp, OciSpec } from './oci-types.js';

/** A seccomp filter as it stands in config.json: most of the file, and the same for nearly every container. */
const filterBytes = new WeakMap<OciSeccomp, Buffer>();
/** The same for the compiled form of a filter. */
const compiledBytes = new WeakMap<OciSeccomp, { readonly text: string; readonly bytes: Buffer }>();

/** A seccomp filter that the runtime takes in compiled form, through an annotation, instead of the profile. */
export interface CompiledFilter {
  readonly annotation: string;
  /** Base64. */
  readonly text: string;
}

/** The text of config.json; rlimits keep all 64 bits. */
export function stringifySpec(spec: OciSpec, compiled?: CompiledFilter): string {
  return specPieces(spec, compiled).join('');
}

/** Writes config.json, 0600. The filter's bytes are made once: a text of them for each start was half of its garbage. */
export function writeSpec(path: string, spec: OciSpec, compiled?: CompiledFilter): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    for (const piece of specPieces(spec, compiled)) writeAll(fd, piece);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, piece: string | Buffer): void {
  const size = Buffer.byteLength(piece);
  let written = typeof piece === 'string' ? writeSync(fd, piece) : writeSync(fd, piece);
  if (written === size) return;
  // The disk is nearly full: the next write says so.
  const bytes = Buffer.from(piece);
  while (written < size) written += writeSync(fd, bytes, written);
}

function specPieces(spec: OciSpec, compiled: CompiledFilter | undefined): (string | Buffer)[] {
  const { process, linux, annotations, ...rest } = spec;
  const { seccomp, ...linuxRest } = linux;
  const base = { ...rest, ...(compiled === undefined && { annotations }) };
  const text = joinMembers(base, { process: stringifyProcess(process), linux: joinMembers(linuxRest, {}) });
  if (seccomp === undefined) return [text];
  if (compiled === undefined) return [`${text.slice(0, -2)},"seccomp":`, bytesOf(seccomp), '}}'];
  const notes = joinMembers(annotations ?? {}, {}).slice(0, -1);
  const key = `${notes === '{' ? '' : ','}${JSON.stringify(compiled.annotation)}`;
  return [`${text.slice(0, -1)},"annotations":${notes}${key}:"`, compiledBytesOf(seccomp, compiled.text), '"}}'];
}

/** The bytes of a process document, as `exec --process` takes it. */
export function stringifyProcess(process: OciProcess): string {
  const { rlimits, ...rest } = process;
  return joinMembers(rest, { rlimits: rlimits && `[${rlimits.map(stringifyRlimit).join()}]` });
}

function stringifyRlimit({ type, hard, soft }: NonNullable<OciProcess['rlimits']>[number]): string {
  return `{"type":${JSON.stringify(type)},"hard":${limit(hard)},"soft":${limit(soft)}}`;
}

/** RLIM_INFINITY has no exact JavaScript number. */
function limit(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '18446744073709551615' : String(value);
}

function bytesOf(filter: OciSeccomp): Buffer {
  let bytes = filterBytes.get(filter);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(filter));
    if (Object.isFrozen(filter)) filterBytes.set(filter, bytes);
  }
  return bytes;
}

function compiledBytesOf(filter: OciSeccomp, text: string): Buffer {
  const known = compiledBytes.get(filter);
  if (known?.text === text) return known.bytes;
  const bytes = Buffer.from(text);
  compiledBytes.set(filter, { text, bytes });
  return bytes;
}

/** An object's JSON with further members that are JSON already. Member by member: cutting off a brace would copy it all. */
function joinMembers(object: object, ready: Readonly<Record<string, string | undefined>>): string {
  const members: string[] = [];
  for (const [key, value] of Object.entries(object)) {
    const json: string | undefined = JSON.stringify(value);
    if (json !== undefined) members.push(`${JSON.stringify(key)}:${json}`);
  }
  for (const [key, json] of Object.entries(ready)) if (json !== undefined) members.push(`"${key}":${json}`);
  return `{${members.join()}}`;
}
