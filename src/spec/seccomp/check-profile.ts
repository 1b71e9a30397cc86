import { CAPABILITIES } from '../capabilities.js';
import { badField } from '../fail.js';
import type { OciSeccompRule } from '../oci-types.js';
import type { CheckedProfile, ConditionalRule, SeccompCondition } from './profile.js';

const ACTIONS = new Set(
  ['KILL', 'KILL_THREAD', 'KILL_PROCESS', 'TRAP', 'ERRNO', 'TRACE', 'ALLOW', 'LOG'].map((name) => `SCMP_ACT_${name}`),
);
const OPERATORS = new Set(['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`));
const FLAGS = new Set(['TSYNC', 'LOG', 'SPEC_ALLOW'].map((name) => `SECCOMP_FILTER_FLAG_${name}`));
const ARCHITECTURE = /^SCMP_ARCH_[A-Z0-9_]{1,32}$/;
const SYSCALL = /^[a-z0-9_]{1,64}$/;
const MAX_RULES = 4096;
const MAX_NAMES = 4096;

type Document = Readonly<Record<string, unknown>>;

/**
 * Checks a custom profile, in Docker's format or the OCI runtime-spec's, and copies what is known of it.
 * Throws BAD_SECCOMP_PROFILE. Notify actions and listeners are refused: they hand the container's calls to a socket of the host.
 */
export function checkSeccompProfile(profile: unknown, field = 'seccomp'): CheckedProfile {
  const doc = asObject(field, profile);
  onlyKeys(field, doc, [
    ...['defaultAction', 'defaultErrnoRet', 'architectures', 'archMap', 'flags', 'syscalls', 'comment'],
  ]);
  if (filled(doc.architectures) && filled(doc.archMap)) {
    throw bad(`${field}.archMap`, 'archMap', 'stands beside architectures; only one may be given');
  }
  const archMap = optionalList(`${field}.archMap`, doc.archMap, 64)?.map((entry, i) =>
    checkArchEntry(`${field}.archMap[${i}]`, entry),
  );
  const architectures = optionalList(`${field}.architectures`, doc.architectures, 64)?.map((name, i) =>
    matching(`${field}.architectures[${i}]`, name, ARCHITECTURE, 'is not an architecture of libseccomp'),
  );
  const flags = optionalList(`${field}.flags`, doc.flags, 8)?.map((name, i) =>
    oneOf(`${field}.flags[${i}]`, name, FLAGS),
  );
  const rules = optionalList(`${field}.syscalls`, doc.syscalls, MAX_RULES) ?? [];
  return {
    defaultAction: oneOf(`${field}.defaultAction`, doc.defaultAction, ACTIONS),
    ...optional('defaultErrnoRet', optionalErrno(`${field}.defaultErrnoRet`, doc.defaultErrnoRet)),
    ...optional('architectures', architectures),
    ...optional('archMap', archMap),
    ...optional('flags', flags),
    rules: rules.map((rule, i) => checkRule(`${field}.syscalls[${i}]`, rule)),
  };
}

function checkRule(field: string, value: unknown): ConditionalRule {
  const doc = asObject(field, value);
  onlyKeys(field, doc, ['names', 'name', 'action', 'errnoRet', 'args', 'comment', 'includes', 'excludes', 'priority']);
  if (filled(doc.name) && filled(doc.names)) throw bad(`${field}.name`, doc.name, 'stands beside names');
  const names = filled(doc.name) ? [doc.name] : optionalList(`${field}.names`, doc.names, MAX_NAMES);
  if (names === undefined || names.length === 0) throw bad(`${field}.names`, doc.names, 'is empty');
  const args = optionalList(`${field}.args`, doc.args, 64)?.map((arg, i) => checkArg(`${field}.args[${i}]`, arg));
  return {
    names: names.map((name, i) => matching(`${field}.names[${i}]`, name, SYSCALL, 'is not a system call name')),
    action: oneOf(`${field}.action`, doc.action, ACTIONS),
    ...optional('errnoRet', optionalErrno(`${field}.errnoRet`, doc.errnoRet)),
    ...(args === undefined || args.length === 0 ? {} : { args }),
    ...optional('includes', checkCondition(`${field}.includes`, doc.includes)),
    ...optional('excludes', checkCondition(`${field}.excludes`, doc.excludes)),
  };
}

function checkArg(field: string, value: unknown): NonNullable<OciSeccompRule['args']>[number] {
  const doc = asObject(field, value);
  onlyKeys(field, doc, ['index', 'value', 'valueTwo', 'op']);
  const index = wholeNumber(`${field}.index`, doc.index, 5);
  const number = wholeNumber(`${field}.value`, doc.value, Number.MAX_SAFE_INTEGER);
  const op = oneOf(`${field}.op`, doc.op, OPERATORS);
  if (doc.valueTwo === undefined || doc.valueTwo === null) return { index, value: number, op };
  return { index, value: number, valueTwo: wholeNumber(`${field}.valueTwo`, doc.valueTwo, 2 ** 53 - 1), op };
}

function checkCondition(field: string, value: unknown): SeccompCondition | undefined {
  if (value === undefined || value === null) return undefined;
  const doc = asObject(field, value);
  onlyKeys(field, doc, ['caps', 'arches', 'minKernel']);
  const caps = optionalList(`${field}.caps`, doc.caps, 64)?.map((name, i) => {
    if (typeof name !== 'string' || !CAPABILITIES.includes(name)) {
      throw bad(`${field}.caps[${i}]`, name, 'is not a capability');
    }
    return name;
  });
  const arches = optionalList(`${field}.arches`, doc.arches, 64)?.map((name, i) =>
    matching(`${field}.arches[${i}]`, name, /^[a-z0-9_]{1,32}$/, 'is not an architecture'),
  );
  const minKernel = filled(doc.minKernel)
    ? matching(`${field}.minKernel`, doc.minKernel, /^\d{1,4}\.\d{1,4}$/, 'is not a kernel version such as 4.8')
    : undefined;
  return { ...optional('caps', caps), ...optional('arches', arches), ...optional('minKernel', minKernel) };
}

function checkArchEntry(field: string, value: unknown): { architecture: string; subArchitectures: string[] } {
  const doc = asObject(field, value);
  onlyKeys(field, doc, ['architecture', 'subArchitectures']);
  const name = (at: string, text: unknown) => matching(at, text, ARCHITECTURE, 'is not an architecture of libseccomp');
  const sub = optionalList(`${field}.subArchitectures`, doc.subArchitectures, 16) ?? [];
  return {
    architecture: name(`${field}.architecture`, doc.architecture),
    subArchitectures: sub.map((text, i) => name(`${field}.subArchitectures[${i}]`, text)),
  };
}

function asObject(field: string, value: unknown): Document {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document;
  throw bad(field, value, 'is not an object');
}

function onlyKeys(field: string, doc: Document, known: readonly string[]): void {
  for (const key of Object.keys(doc)) {
    if (!known.includes(key)) throw bad(`${field}.${key.slice(0, 64)}`, doc[key], 'is not a field of seccomp profiles');
  }
}

function optionalList(field: string, value: unknown, max: number): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw bad(field, value, 'is not an array');
  if (value.length > max) throw bad(field, value.length, `has more than ${max} entries`);
  return value;
}

function optionalErrno(field: string, value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : wholeNumber(field, value, 4095);
}

function wholeNumber(field: string, value: unknown, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw bad(field, value, `is not a whole number from 0 to ${max}`);
}

function oneOf(field: string, value: unknown, allowed: ReadonlySet<string>): string {
  if (typeof value === 'string' && allowed.has(value)) return value;
  throw bad(field, value, `is not one of ${[...allowed].join(', ')}`);
}

function matching(field: string, value: unknown, pattern: RegExp, why: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw bad(field, value, why);
}

function filled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: T });
}

function bad(field: string, value: unknown, why: string) {
  return badField('BAD_SECCOMP_PROFILE', field, value, why);
}
