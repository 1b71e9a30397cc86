import { createRequire } from 'node:module';

export type ProperLockfile = typeof import('proper-lockfile');

const PATCHED = ['emit', 'reallyExit', 'cwd', 'chdir'] as const;
let loaded: ProperLockfile | undefined;

/**
 * Loads proper-lockfile at its first use and takes back what its dependencies do to the host process while loading:
 * signal listeners and wrapped `process.emit`/`reallyExit` (signal-exit), replaced `process.cwd`/`chdir` (graceful-fs).
 * Where the host had loaded them itself nothing changes. Locks left at exit need no handler: their owner is then dead.
 */
export function loadProperLockfile(): ProperLockfile {
  loaded ??= loadQuietly();
  return loaded;
}

function loadQuietly(): ProperLockfile {
  const host = process as unknown as Record<(typeof PATCHED)[number], unknown>;
  const before = PATCHED.map((key) => [key, Object.getOwnPropertyDescriptor(host, key), host[key]] as const);
  const require = createRequire(import.meta.url);
  const library = require('proper-lockfile') as ProperLockfile;

  if (host.emit !== before[0]?.[2]) {
    const requireThere = createRequire(require.resolve('proper-lockfile'));
    (requireThere('signal-exit') as { unload?: () => void }).unload?.();
  }
  for (const [key, descriptor, value] of before) {
    if (host[key] === value) continue;
    if (descriptor === undefined) delete host[key];
    else Object.defineProperty(host, key, descriptor);
  }
  return library;
}
