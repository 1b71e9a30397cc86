import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, raceSignal } from '../../util/signals.js';

/** Gives an IP address of a host, IPv4 before IPv6. */
export type ResolveAddress = (host: string, call: CallOptions) => Promise<string>;

/** By the name service of this host. */
export const resolveBySystem: ResolveAddress = async (host, call) => {
  const { address } = await raceSignal(lookup(host, { verbatim: false }), call.signal);
  return address;
};

const NETWORK_TYPES = /^(nfs4?|cifs|smb3)$/;

/**
 * Puts an address in the place of the host name of `addr=`: the kernel resolves no names. Without `addr=` the host of
 * the device serves. Asked anew at each mount, so that a server may move. Throws LOCAL_VOLUME_UNKNOWN_HOST.
 */
export async function resolveAddresses(
  options: { readonly type: string; readonly device: string; readonly data: readonly string[] },
  resolve: ResolveAddress,
  call: CallOptions,
): Promise<readonly string[]> {
  if (!NETWORK_TYPES.test(options.type)) return options.data;
  const at = options.data.findIndex((word) => word.startsWith('addr='));
  const host = at >= 0 ? (options.data[at] as string).slice('addr='.length) : hostOfDevice(options);
  if (host === undefined || host === '') return options.data;
  const word = `addr=${isIP(host) ? host : await resolveHost(host, resolve, call)}`;
  return at >= 0 ? options.data.with(at, word) : [...options.data, word];
}

async function resolveHost(host: string, resolve: ResolveAddress, call: CallOptions): Promise<string> {
  let address: string;
  try {
    address = await resolve(host, call);
  } catch (cause) {
    if (call.signal?.aborted) throw cause;
    throw unknownHost(host, cause);
  }
  // It becomes a part of the mount options: a comma in it would add more.
  if (isIP(address) === 0) throw unknownHost(host, undefined);
  return address;
}

function unknownHost(host: string, cause: unknown): Error {
  return engineError('LOCAL_VOLUME_UNKNOWN_HOST', `host ${quote(host)} has no address`, { details: { host }, cause });
}

function hostOfDevice({ type, device }: { readonly type: string; readonly device: string }): string | undefined {
  const match = type.startsWith('nfs')
    ? /^(?:\[([^\]]+)\]|([^:/]+)):\//.exec(device)
    : /^(?:[a-z]+:)?[/\\]{2}(?:[^/\\@]*@)?(?:\[([^\]]+)\]|([^/\\:]+))/i.exec(device);
  return match?.[1] ?? match?.[2];
}
