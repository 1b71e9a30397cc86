/**
 * Preloaded into a program (`--import failpoints.js?at=<n>`): kills it with SIGKILL right before its n-th call that
 * changes the machine: files, directories, mounts, processes, locks. With `at=0` it only counts; the number is
 * `globalThis.failpointCalls`.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';

const require = createRequire(import.meta.url);
const at = Number(new URL(import.meta.url).searchParams.get('at'));
const FILE_CALLS = [
  ...['mkdir', 'rename', 'rmdir', 'unlink', 'rm', 'symlink', 'link', 'writeFile', 'chmod', 'fchmod', 'truncate'],
  ...['open', 'write', 'fsync', 'copyFile', 'utimes', 'lutimes', 'chown', 'lchown', 'ftruncate'],
];
// biome-ignore lint/suspicious/noExplicitAny: wraps functions of any form
type Functions = Record<string, any>;
let calls = 0;

function step(): void {
  calls++;
  if (calls === at) process.kill(process.pid, 'SIGKILL');
}

function wrap(target: Functions, name: string): void {
  const original = target[name];
  if (typeof original !== 'function') return;
  target[name] = Object.assign(function (this: unknown, ...args: unknown[]) {
    // A file that is opened for reading changes nothing.
    if (!(/^open/.test(name) && (args[1] === undefined || args[1] === 'r'))) step();
    return original.apply(this, args);
  }, original);
}

const fs = require('node:fs') as Functions;
for (const name of FILE_CALLS) {
  wrap(fs, `${name}Sync`);
  wrap(fs['promises'], name);
}
syncBuiltinESMExports();

const koffi = require('koffi') as Functions;
const load = koffi['load'];
const CHANGES = /^int (mount|umount2|posix_spawn|mknod|mkfifo|flock|setxattr|lsetxattr|symlink|sync|ioctl)\(/;
koffi['load'] = (...path: unknown[]) => {
  const library = load(...path);
  return {
    func: (prototype: string) => {
      const bound = library.func(prototype);
      if (!CHANGES.test(prototype)) return bound;
      const counted = (...args: unknown[]) => {
        step();
        return bound(...args);
      };
      return Object.assign(counted, { async: bound.async });
    },
  };
};

// Not a listener of its own: that would keep the program alive.
Object.defineProperty(globalThis, 'failpointCalls', { get: () => calls });
