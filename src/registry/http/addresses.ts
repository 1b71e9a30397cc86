import { BlockList, isIP } from 'node:net';

/** What a connection is for: a host that the user named, or one that a registry sends us to. @public */
export type ConnectionPurpose = 'registry' | 'token' | 'redirect' | 'proxy';

/** Whether a connection may go to an address. @public */
export interface AddressQuestion {
  /** IP address, as resolved: the connection goes exactly there. */
  readonly address: string;
  /** Name or address as it stands in the URL. */
  readonly host: string;
  readonly purpose: ConnectionPurpose;
  /** Host that the user named: the one that sent us here. */
  readonly registry: string;
}

/** The host's own say: `undefined` leaves it to the rules of caisson. @public */
export type AllowAddress = (question: AddressQuestion) => boolean | undefined;

const LOOPBACK = blockList(['127.0.0.0/8', '::1/128']);
// No registry is there: link-local (the metadata services of clouds), unspecified, multicast, and AWS's own.
const NEVER = blockList([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  'fe80::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
]);

export function blockList(ranges: Iterable<string>): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** True for `a.b.c.d/n` and its like. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/');
  const family = isIP(address);
  return more === undefined && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32);
}

export function isListed(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Host of a URL or `host[:port]` without port and brackets. */
export function bareHost(host: string): string {
  const match = /^\[(.*)\](?::\d+)?$/.exec(host) ?? /^([^:]*)(?::\d+)?$/.exec(host);
  return (match?.[1] ?? host).toLowerCase();
}

export function isLoopbackAddress(address: string): boolean {
  return isListed(LOOPBACK, address);
}

/** True for a loopback address and `localhost`, as they stand in image names. */
export function isLoopbackHost(host: string): boolean {
  const bare = bareHost(host);
  return bare === 'localhost' || isLoopbackAddress(bare);
}

/**
 * The rules of caisson. A registry that the user names by its address may be anywhere. Names never lead to link-local and
 * the like; `localhost` leads nowhere but to this machine; and a registry elsewhere can't send us to services of this one.
 */
export function mayConnect(question: AddressQuestion, allow: AllowAddress | undefined): boolean {
  const own = allow?.(question);
  if (own !== undefined) return own;
  const { address, host, purpose, registry } = question;
  const bare = bareHost(host);
  const isNamed = purpose === 'registry' || purpose === 'proxy';
  if (isNamed && isIP(bare) !== 0) return true;
  if (isListed(NEVER, address)) return false;
  if (bare === 'localhost' && !isLoopbackAddress(address)) return false;
  return isNamed || !isLoopbackAddress(address) || isLoopbackHost(registry);
}
