import { rmSync } from 'node:fs';

/** Where conmon's files of one container are. */
export interface ConmonFiles {
  /** All of ours are in here, so that removing it also stops a create that is still on its way. */
  readonly dir: string;
  /** Takes the place of conmon's sync pipe: the answer of create, durable. */
  readonly sync: string;
  readonly runtimeLog: string;
  readonly conmonPid: string;
  readonly initPid: string;
  readonly stderr: string;
  /** Inode of the pipe that is the container's stdin. */
  readonly stdin: string;
  /** Link to the log file, for a path that conmon can't be given. */
  readonly logLink: string;
  /** conmon leaves this here, in its working directory, at an out-of-memory kill. */
  readonly oom: string;
  readonly attachSocket: string;
  /** What conmon makes in the bundle. */
  readonly inBundle: readonly string[];
}

export function conmonFiles(place: { runDir: string; bundle: string }): ConmonFiles {
  const dir = `${place.runDir}/conmon`;
  return {
    dir,
    sync: `${dir}/sync`,
    runtimeLog: `${dir}/runtime.log`,
    conmonPid: `${dir}/conmon.pid`,
    initPid: `${dir}/init.pid`,
    stderr: `${dir}/stderr`,
    stdin: `${dir}/stdin`,
    logLink: `${dir}/log`,
    oom: `${dir}/oom`,
    attachSocket: `${place.bundle}/attach`,
    inBundle: ['attach', 'ctl', 'winsz'].map((name) => `${place.bundle}/${name}`),
  };
}

/** Removes them all. Idempotent. */
export function removeConmonFiles(files: ConmonFiles): void {
  rmSync(files.dir, { recursive: true, force: true });
  for (const path of files.inBundle) rmSync(path, { force: true });
}
