import { readFileSync, writeFileSync } from 'node:fs';
import type { ContainerOptions } from '../../spec/container-options.js';

/** Host paths of the files that are bound over /etc/hosts, /etc/hostname and /etc/resolv.conf. */
export interface EtcFiles {
  readonly hosts?: string;
  readonly hostname?: string;
  readonly resolvConf?: string;
}

const LOOPBACK = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';

/**
 * Writes them into the bundle. They are never written into the root file system, where a link of the image could
 * lead elsewhere. Without a network there is no name server to name, unless the options do.
 */
export function writeEtcFiles(dir: string, hostname: string, options: ContainerOptions): EtcFiles {
  const full = options.domainname ? `${hostname}.${options.domainname} ${hostname}` : hostname;
  let hosts = LOOPBACK;
  if (options.network !== 'host') hosts += `127.0.1.1\t${full}\n`;
  for (const [name, address] of Object.entries(options.extraHosts ?? {})) hosts += `${address}\t${name}\n`;
  writeFileSync(`${dir}/hosts`, hosts, { mode: 0o644 });
  writeFileSync(`${dir}/hostname`, `${hostname}\n`, { mode: 0o644 });
  const files = { hosts: `${dir}/hosts`, hostname: `${dir}/hostname` };
  const resolvConf = resolvConfText(options);
  if (resolvConf === undefined) return files;
  writeFileSync(`${dir}/resolv.conf`, resolvConf, { mode: 0o644 });
  return { ...files, resolvConf: `${dir}/resolv.conf` };
}

function resolvConfText(options: ContainerOptions): string | undefined {
  if (options.dns === undefined) return options.network === 'host' ? readHostResolvConf() : undefined;
  const { servers = [], search = [], options: words = [] } = options.dns;
  const lines = servers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (words.length > 0) lines.push(`options ${words.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

function readHostResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}
