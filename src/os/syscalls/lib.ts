import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type { KoffiFunc, TypeObject } from 'koffi';
import { EngineError, engineError, quote } from '../../errors/index.js';

type Koffi = typeof import('koffi');
interface Library {
  // biome-ignore lint/suspicious/noExplicitAny: the signature is a C prototype in text; callers give it a type.
  func(prototype: string): any;
}

const require = createRequire(import.meta.url);
const ERRNO_NAMES = new Map([
  ...Object.entries(constants.errno).map(([name, value]) => [value, name] as const),
  // What mount(2) says and Node has no name for.
  ...([
    [15, 'ENOTBLK'],
    [112, 'EHOSTDOWN'],
    [117, 'EUCLEAN'],
    [121, 'EREMOTEIO'],
    [123, 'ENOMEDIUM'],
  ] as const),
]);

// The FFI library and the C prototypes are immutable facts of the process, not state: loading them twice would only cost time.
let loaded: { koffi: Koffi; libc: Library } | undefined;

function load(): { koffi: Koffi; libc: Library } {
  if (loaded === undefined) {
    const koffi = require('koffi') as Koffi;
    loaded = { koffi, libc: koffi.load(null) as unknown as Library };
  }
  return loaded;
}

/** Declares a libc function, bound at its first call so that importing caisson loads no native code. */
export function libc<F extends (...args: never[]) => unknown>(prototype: string): F {
  let bound: F | undefined;
  return ((...args: never[]) => {
    bound ??= load().libc.func(prototype) as F;
    for (const arg of args) refuseNul(prototype, arg);
    return bound(...args);
  }) as F;
}

/** C ends a text at the first NUL: a longer foreign one would silently name another file or be another argument. */
function refuseNul(prototype: string, arg: unknown): void {
  if (typeof arg === 'string') {
    if (arg.includes('\0')) throw syscallError(callName(prototype), 'EINVAL', { argument: arg });
  } else if (Array.isArray(arg)) {
    for (const item of arg) refuseNul(prototype, item);
  }
}

function callName(prototype: string): string {
  return /(\w+)\(/.exec(prototype)?.[1] ?? 'call';
}

/** As `libc`, but each call runs on a thread of the FFI library's pool. The errno is lost: it belongs to that thread. */
export function libcAsync<A extends readonly unknown[]>(prototype: string): (...args: A) => Promise<number> {
  let bound: { async(...args: unknown[]): void } | undefined;
  return (...args) =>
    new Promise((resolve, reject) => {
      bound ??= load().libc.func(prototype) as { async(...args: unknown[]): void };
      bound.async(...args, (error: unknown, result: number) => (error ? reject(error) : resolve(result)));
    });
}

/** A path for a C function. Names on disk need not be UTF-8: a Buffer has the bytes as they are, without an end mark. */
export type PathBytes = string | Uint8Array;

export function pathArgument(path: PathBytes): PathBytes {
  if (typeof path === 'string') return path;
  if (path.includes(0)) throw syscallError('path', 'EINVAL', { argument: path });
  return Buffer.concat([path, Buffer.of(0)]);
}

/** A path as it may stand in an error. */
export function pathText(path: PathBytes): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
}

/** True when the C library has the function. */
export function hasFunction(prototype: string): boolean {
  try {
    load().libc.func(prototype);
    return true;
  } catch {
    return false;
  }
}

/** The errno of the last FFI call on this thread, as a name such as `ENOENT`. */
export function errnoName(): string {
  return errnoNameOf(load().koffi.errno());
}

export function errnoNameOf(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** The typed error of a failed system call; `facts` are its arguments. */
export function syscallError(call: string, errno: string, facts: Record<string, unknown> = {}): EngineError {
  const shown = Object.entries(facts).map(
    ([key, value]) => [key, value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value] as const,
  );
  const details = { syscall: call, errno, ...Object.fromEntries(shown) };
  const about = shown.map(([key, value]) => ` ${key} ${quote(value)}`).join(',');
  const message = `${call} failed with ${errno}${about ? ` for${about}` : ''}`;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return engineError('DISK_FULL', message, { details });
  if (errno === 'EPERM' || errno === 'EACCES') return engineError('NOT_PERMITTED', message, { details });
  return engineError('SYSCALL_FAILED', message, { details });
}

/** The errno name that an error carries: one of ours (details.errno) or Node's (code). */
export function errnoOf(error: unknown): string | undefined {
  if (EngineError.is(error)) return typeof error.details['errno'] === 'string' ? error.details['errno'] : undefined;
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  // libuv has no name for some, EDQUOT among them.
  if (code === 'UNKNOWN' && typeof errno === 'number') return errnoNameOf(-errno);
  return typeof code === 'string' ? code : undefined;
}

export type { KoffiFunc, TypeObject };
