import type { PathBytes } from '../os/syscalls/index.js';

/**
 * Names in archives and file systems are bytes, not text. Inside this folder a name is a *byte string*: a string with one
 * character (U+0000 to U+00FF) per byte, so that every name round-trips and `/`, `.` and `..` can be handled as text.
 */

const NON_ASCII = /[\u0080-\u00ff]/;

/** The byte string of ordinary text (its UTF-8 bytes). */
export function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text of a byte string; bytes that are not UTF-8 become U+FFFD. For messages and for names known to be text. */
export function byteStringToText(bytes: string): string {
  return NON_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes;
}

/** The bytes of a byte string. */
export function byteStringToBuffer(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** A byte string as a path for `node:fs`: the string itself where it is ASCII (the fast way), else its bytes. */
export function fsPath(bytes: string): string | Buffer {
  return NON_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1') : bytes;
}

/** Orders byte strings as their bytes. */
export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A byte string as a path for the system calls of `os/syscalls`. */
export function syscallPath(bytes: string): PathBytes {
  return NON_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1') : bytes;
}
