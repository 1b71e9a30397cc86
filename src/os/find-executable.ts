import { accessSync, constants, statSync } from 'node:fs';

/** Where programs of the system are looked for: not in the host process's PATH, which may be short or hostile. */
export const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;

/** The environment of every system program that we start: nothing of the host process's own. */
export const SYSTEM_ENV: Readonly<Record<string, string>> = { PATH: SYSTEM_PATH.join(':'), LC_ALL: 'C' };

/** Finds an executable file by name (or checks an absolute path); `undefined` when there is none. */
export function findExecutable(name: string, paths: readonly string[] = SYSTEM_PATH): string | undefined {
  const candidates = name.startsWith('/') ? [name] : paths.map((dir) => `${dir}/${name}`);
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}
