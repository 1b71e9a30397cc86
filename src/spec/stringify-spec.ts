import type { OciProcess, OciSeccomp, OciSpec } from './oci-types.js';

/** JSON of filters that never change: most of a config.json is its seccomp part. */
const filterJson = new WeakMap<OciSeccomp, string>();

/** The bytes of config.json. The JSON of a frozen seccomp filter is made once; rlimits keep all 64 bits. */
export function stringifySpec(spec: OciSpec): string {
  const { process, linux, ...rest } = spec;
  const { seccomp, ...linuxRest } = linux;
  const linuxJson = joinMembers(linuxRest, { seccomp: seccomp && stringifySeccomp(seccomp) });
  return joinMembers(rest, { process: stringifyProcess(process), linux: linuxJson });
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

function stringifySeccomp(filter: OciSeccomp): string {
  let json = filterJson.get(filter);
  if (json === undefined) {
    json = JSON.stringify(filter);
    if (Object.isFrozen(filter)) filterJson.set(filter, json);
  }
  return json;
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
