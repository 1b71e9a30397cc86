import { engineError, quote } from '../../errors/index.js';
import { MS } from '../../os/syscalls/index.js';
import { closestName } from '../../util/closest-name.js';
import { parseMountWords } from './mount-words.js';
import { maskSecrets } from './secrets.js';
import { parseSize } from './size.js';

/** What a local volume was made with. Empty texts: not given. */
export interface LocalVolumeOptions {
  readonly type: string;
  readonly device: string;
  readonly o: string;
  readonly sizeBytes?: number;
}

const KEYS = ['type', 'device', 'o', 'size'] as const;
const MOUNT_DATA_MAX = 4095;

/** True when such a volume is a mount of its own, false when it is a plain directory. */
export function needsMount(options: LocalVolumeOptions): boolean {
  return options.type !== '' || options.device !== '';
}

/**
 * Checks the options of a local volume by Docker's rules; an empty text is as good as none. Throws
 * LOCAL_VOLUME_BAD_OPTION that names the option and what it should be; passwords in it are masked.
 */
export function checkOptions(options: Readonly<Record<string, string>>): LocalVolumeOptions {
  const given = new Map<string, string>();
  for (const [key, value] of Object.entries(options)) {
    if (!(KEYS as readonly string[]).includes(key)) throw unknownKey(key);
    if (typeof value !== 'string' || value.includes('\0'))
      throw bad(key, `option ${key} ${shown(value)} is not a text`);
    given.set(key, value);
  }
  const text = (key: (typeof KEYS)[number]): string => given.get(key) ?? '';
  const checked = { type: text('type'), device: text('device'), o: text('o') };
  checkTogether(checked);
  const sizeBytes = text('size') === '' ? undefined : checkSize(text('size'), checked);
  if (checked.type !== '') checkMount(checked);
  return sizeBytes === undefined ? checked : { ...checked, sizeBytes };
}

function checkTogether({ type, device, o }: LocalVolumeOptions): void {
  if (device !== '' && type === '') throw bad('type', `option device ${shown(device)} needs option type`);
  if (type !== '' && device === '') throw bad('device', `option type ${quote(type)} needs option device`);
  if (o !== '' && type === '') throw bad('type', `option o ${shown(o)} needs options type and device`);
}

function checkMount({ type, device, o }: LocalVolumeOptions): void {
  if (!/^[a-zA-Z0-9_.-]+$/.test(type)) throw bad('type', `option type ${quote(type)} is not one file system type`);
  const words = parseMountWords(o);
  const bytes = Buffer.byteLength(words.data.join(','));
  if (bytes > MOUNT_DATA_MAX) {
    throw bad('o', `option o has ${bytes} bytes for the file system, the kernel takes ${MOUNT_DATA_MAX}`);
  }
  if (words.flags & MS.BIND) {
    if (!device.startsWith('/'))
      throw bad('device', `option device ${shown(device)} of a bind is not an absolute path`);
    if (words.data.length > 0) {
      throw bad('o', `option o has ${shown(words.data[0])}, which means nothing to a bind`);
    }
  } else if (type === 'none' || type === 'bind') {
    throw bad('o', `option type ${quote(type)} needs bind or rbind in option o`);
  }
  if (type === 'overlay') checkOverlay(words.data);
  // A port there would be taken for a part of the host name.
  if (
    /^(cifs|smb3)$/.test(type) &&
    /^(?:[a-z]+:)?[/\\]{2}(?:[^/\\@]*@)?(?:\[[^\]]*\]|[^/\\:]*):\d*(?:[/\\]|$)/i.test(device)
  ) {
    throw bad('device', `option device ${shown(device)} has a port; write port= into option o`);
  }
}

function checkOverlay(data: readonly string[]): void {
  for (const word of data) {
    const match = /^(lowerdir|upperdir|workdir)=(.*)$/s.exec(word);
    const paths =
      match?.[1] === 'lowerdir' ? (match[2] as string).split(/(?<!\\):+/) : match ? [match[2] as string] : [];
    for (const path of paths) {
      if (!path.startsWith('/')) throw bad('o', `option o has ${quote(word)}, whose path is not absolute`);
    }
  }
}

function checkSize(size: string, { type }: LocalVolumeOptions): number {
  const bytes = parseSize(size);
  if (bytes === undefined || bytes <= 0) {
    throw bad('size', `option size ${quote(size)} is not a size such as 512m, 10G or a number of bytes`);
  }
  if (type === '') return bytes;
  const hint = type === 'tmpfs' ? '; a tmpfs takes size= in option o' : '';
  throw bad('size', `option size ${quote(size)} is for volumes without type and device${hint}`);
}

function unknownKey(key: string): Error {
  const nearest = closestName(key, KEYS);
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
  return engineError('LOCAL_VOLUME_BAD_OPTION', `option ${quote(key, 64)} does not exist${hint}`, {
    details: { field: key.slice(0, 64), ...(nearest === undefined ? {} : { nearest }) },
  });
}

function shown(value: unknown): string {
  return quote(typeof value === 'string' ? maskSecrets(value) : value);
}

function bad(field: string, message: string): Error {
  return engineError('LOCAL_VOLUME_BAD_OPTION', message, { details: { field } });
}
