import type { OciProcess, OciSeccomp, OciSpec } from './oci-types.js';

/** JSON of filters that never change: most of a config.json is its seccomp part. */
const filterJson = new WeakMap<OciSeccomp, string>();

/** The bytes of config.json. The JSON of a frozen seccomp filter is made once; rlimits keep all 64 bits. */
export function stringifySpec(spec: OciSpec): string {
  const { process, linux, ...rest } = spec;
  const { seccomp, ...linuxRest } = linux;
  const linuxJson = withMember(JSON.stringify(linuxRest), 'seccomp', seccomp && stringifySeccomp(seccomp));
  return withMember(withMember(JSON.stringify(rest), 'process', stringifyProcess(process)), 'linux', linuxJson);
}

/** The bytes of a process document, as `exec --process` takes it. */
export function stringifyProcess(process: OciProcess): string {
  const { rlimits, ...rest } = process;
  return withMember(JSON.stringify(rest), 'rlimits', rlimits && `[${rlimits.map(stringifyRlimit).join()}]`);
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

function withMember(object: string, key: string, json: string | undefined): string {
  if (json === undefined) return object;
  return `${object.slice(0, -1)}${object === '{}' ? '' : ','}"${key}":${json}}`;
}
