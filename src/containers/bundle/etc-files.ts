import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
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
  writePublic(`${dir}/hosts`, hosts);
  writePublic(`${dir}/hostname`, `${hostname}\n`);
  const files = { hosts: `${dir}/hosts`, hostname: `${dir}/hostname` };
  const resolvConf = resolvConfText(options);
  if (resolvConf === undefined) return files;
  writePublic(`${dir}/resolv.conf`, resolvConf);
  return { ...files, resolvConf: `${dir}/resolv.conf` };
}

/** Every user of the container reads it, whatever umask the host process has. */
function writePublic(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
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
