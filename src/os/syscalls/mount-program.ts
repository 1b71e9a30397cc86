import { createRequire } from 'node:module';

/** mount(2) or umount2(2) with its arguments. */
export type MountCall =
  | readonly ['mount', source: string, target: string, type: string | null, flags: number, data: string | null]
  | readonly ['umount2', target: string, flags: number];

/** What the program answers: the place of the call that failed and its errno; `errno` 0 when all went well. */
export interface MountAnswer {
  readonly at: number;
  readonly errno: number;
}

const PROGRAM = `
const fs = require('node:fs');
const { koffi, parent, calls } = JSON.parse(fs.readFileSync(0, 'utf8'));
const ffi = require(koffi);
const libc = ffi.load(null);
const text = 'const char *';
const functions = {
  mount: libc.func('int mount(' + text + ', ' + text + ', ' + text + ', unsigned long, ' + text + ')'),
  umount2: libc.func('int umount2(' + text + ', int)'),
};
libc.func('int prctl(int, unsigned long)')(1, 9);
const orphaned = process.ppid !== parent;
let at = 0;
let errno = 0;
for (; at < calls.length && !orphaned; at++) {
  const [name, ...args] = calls[at];
  if (functions[name](...args) === 0) continue;
  errno = ffi.errno();
  break;
}
fs.writeSync(1, JSON.stringify({ at, errno }));
`;

/**
 * A program for Node that does the calls it reads from its input, one after the other until one fails, and writes a
 * MountAnswer. It dies with the thread that started it. Nothing of the calls is in its arguments or environment, which
 * every user of the machine can read: mount options have passwords in them.
 */
export function mountProgram(calls: readonly MountCall[]): {
  readonly args: readonly string[];
  readonly input: string;
} {
  const koffi = createRequire(import.meta.url).resolve('koffi');
  return {
    args: ['--no-warnings', '--input-type=commonjs', '-e', PROGRAM],
    input: JSON.stringify({ koffi, parent: process.pid, calls }),
  };
}
