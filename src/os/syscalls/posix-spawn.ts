import { errnoName, errnoNameOf, hasFunction, libc, syscallError } from './lib.js';

type Opaque = Uint8Array;

const actionsInit = libc<(a: Opaque) => number>('int posix_spawn_file_actions_init(void *a)');
const actionsDestroy = libc<(a: Opaque) => number>('int posix_spawn_file_actions_destroy(void *a)');
const actionsDup2 = libc<(a: Opaque, from: number, to: number) => number>(
  'int posix_spawn_file_actions_adddup2(void *a, int from, int to)',
);
const actionsOpen = libc<(a: Opaque, fd: number, path: string, flags: number, mode: number) => number>(
  'int posix_spawn_file_actions_addopen(void *a, int fd, const char *path, int flags, unsigned int mode)',
);
const actionsChdir = libc<(a: Opaque, path: string) => number>(
  'int posix_spawn_file_actions_addchdir_np(void *a, const char *path)',
);
const CLOSEFROM = 'int posix_spawn_file_actions_addclosefrom_np(void *a, int from)';
const actionsCloseFrom = libc<(a: Opaque, from: number) => number>(CLOSEFROM);
const attrInit = libc<(a: Opaque) => number>('int posix_spawnattr_init(void *a)');
const attrDestroy = libc<(a: Opaque) => number>('int posix_spawnattr_destroy(void *a)');
const attrFlags = libc<(a: Opaque, flags: number) => number>('int posix_spawnattr_setflags(void *a, short flags)');
const attrGroup = libc<(a: Opaque, group: number) => number>('int posix_spawnattr_setpgroup(void *a, int group)');
const attrDefault = libc<(a: Opaque, set: Opaque) => number>(
  'int posix_spawnattr_setsigdefault(void *a, const void *set)',
);
const attrMask = libc<(a: Opaque, set: Opaque) => number>('int posix_spawnattr_setsigmask(void *a, const void *set)');
const fillSet = libc<(set: Opaque) => number>('int sigfillset(void *set)');
const emptySet = libc<(set: Opaque) => number>('int sigemptyset(void *set)');
const spawn = libc<
  (
    pid: [number],
    path: string,
    actions: Opaque,
    attr: Opaque,
    argv: (string | null)[],
    envp: (string | null)[],
  ) => number
>(
  'int posix_spawn(_Out_ int *pid, const char *path, const void *actions, const void *attr, const char **argv, const char **envp)',
);
const cWaitpid = libc<(pid: number, status: [number], options: number) => number>(
  'int waitpid(int pid, _Out_ int *status, int options)',
);

const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const WNOHANG = 1;
// Both structures are opaque and below 400 bytes in every libc there is.
const OPAQUE_BYTES = 512;
const SIGSET_BYTES = 128;

export interface PosixSpawnRequest {
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string | undefined;
  /** Child descriptor n comes from `fds[n]`: ours, or `null` for /dev/null. */
  readonly fds: readonly (number | null)[];
  readonly processGroup: number | undefined;
  readonly newSession: boolean;
  /** A terminal to open as 0, 1 and 2; with newSession it becomes the controlling one. */
  readonly terminalPath?: string | undefined;
}

let closeFromSupported: boolean | undefined;

/**
 * posix_spawn(3): a vfork, so that its cost does not grow with the host process's memory as that of Node's `spawn` does.
 * All signals get their default action and are unblocked; descriptors beyond `fds` are closed.
 */
export function posixSpawn(request: PosixSpawnRequest): number {
  const actions = new Uint8Array(OPAQUE_BYTES);
  const attr = new Uint8Array(OPAQUE_BYTES);
  const set = new Uint8Array(SIGSET_BYTES);
  check(actionsInit(actions), request);
  try {
    check(attrInit(attr), request);
    try {
      request.fds.forEach((fd, n) => {
        if (fd === null) check(actionsOpen(actions, n, '/dev/null', 2, 0), request);
        else check(actionsDup2(actions, fd, n), request);
      });
      if (request.terminalPath !== undefined) {
        check(actionsOpen(actions, 0, request.terminalPath, 2, 0), request);
        check(actionsDup2(actions, 0, 1), request);
        check(actionsDup2(actions, 0, 2), request);
      }
      closeFromSupported ??= hasFunction(CLOSEFROM);
      if (closeFromSupported) check(actionsCloseFrom(actions, request.fds.length), request);
      if (request.cwd !== undefined) check(actionsChdir(actions, request.cwd), request);
      let flags = SETSIGDEF | SETSIGMASK;
      if (request.newSession) flags |= SETSID;
      else if (request.processGroup !== undefined) flags |= SETPGROUP;
      emptySet(set);
      check(attrMask(attr, set), request);
      fillSet(set);
      check(attrDefault(attr, set), request);
      if (flags & SETPGROUP) check(attrGroup(attr, request.processGroup as number), request);
      check(attrFlags(attr, flags), request);
      const pid: [number] = [0];
      check(spawn(pid, request.file, actions, attr, [...request.argv, null], [...request.env, null]), request);
      return pid[0];
    } finally {
      attrDestroy(attr);
    }
  } finally {
    actionsDestroy(actions);
  }
}

function check(result: number, request: PosixSpawnRequest): void {
  if (result !== 0) throw syscallError('posix_spawn', errnoNameOf(result), { file: request.file, cwd: request.cwd });
}

/** waitpid(2) without waiting: the raw status, or `undefined` while the child lives. Throws ECHILD when someone else reaped it. */
export function waitpidNow(pid: number): number | undefined {
  const status: [number] = [0];
  const result = cWaitpid(pid, status, WNOHANG);
  if (result === pid) return status[0];
  if (result === 0) return undefined;
  throw syscallError('waitpid', errnoName(), { pid });
}
