import { closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';

/** What mount(2) takes of its data: a page with the end mark. It cuts the rest without a word. */
export const MOUNT_DATA_MAX = 4095;
const PATH_OPTION = /^(lowerdir|upperdir|workdir)=/;

/** A path as it stands in an overlay mount option: commas end options and colons end lower directories. */
export function escapeOverlayPath(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}

/** The paths of a `lowerdir` value, escapes undone. */
export function splitLowerDirs(value: string): string[] {
  return (value.match(/(?:\\.|[^\\:])+/gs) ?? []).map((path) => path.replace(/\\(.)/gs, '$1'));
}

/**
 * Overlay options whose paths are reached through open descriptors of their directories, so that many layers below a
 * long root fit into one mount call. The descriptors must stay open until it returned.
 */
export function shortenOverlayOptions(options: readonly string[]): { options: string[]; close: () => void } {
  const fds = new Map<string, number>();
  const close = () => {
    for (const fd of fds.values()) closeSync(fd);
    fds.clear();
  };
  const shorten = (path: string): string => {
    const directory = dirname(path);
    let fd = fds.get(directory);
    if (fd === undefined) {
      // 0o10000000 is O_PATH, which Node does not name.
      fd = openSync(directory, constants.O_DIRECTORY | 0o10000000);
      fds.set(directory, fd);
    }
    const base = path.slice(directory.length).replace(/^\/+/, '');
    return escapeOverlayPath(`/proc/self/fd/${fd}/${base}`);
  };
  try {
    const shortened = options.map((option) => {
      if (!PATH_OPTION.test(option)) return option;
      const equals = option.indexOf('=') + 1;
      return option.slice(0, equals) + splitLowerDirs(option.slice(equals)).map(shorten).join(':');
    });
    return { options: shortened, close };
  } catch (error) {
    close();
    throw error;
  }
}
