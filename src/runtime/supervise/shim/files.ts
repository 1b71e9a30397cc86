import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { engineError, quote } from '../../../errors/index.js';

/** containerd's rule for namespaces, which is what the last component of a runtime root becomes. */
const NAMESPACE = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;
const MAX_NAMESPACE = 76;
/** Compiled into the shim. */
const SOCKET_DIR = '/run/containerd/s';

// With a dot: what becomes the file of that name, where shim or runtime was killed in between.
const IN_BUNDLE = [
  'log',
  'log.json',
  'address',
  '.address',
  'init.pid',
  '.init.pid',
  'options.json',
  'runtime',
  'work',
];

/** Where the shim's files of one container are. */
export interface ShimFiles {
  /** All of ours are in here. It is also the "containerd address" of the shim: nobody listens there, but it makes the socket's name unique. */
  readonly dir: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Made by the logger when it has written all output. */
  readonly drained: string;
  readonly cgroups: string;
  /** The shim's own log; it dies without one. */
  readonly log: string;
  /** The runtime's JSON log of the last call. */
  readonly runtimeLog: string;
  readonly inBundle: readonly string[];
}

export function shimFiles(place: { runDir: string; bundle: string }): ShimFiles {
  const dir = `${place.runDir}/shim`;
  const { bundle } = place;
  return {
    dir,
    stdin: `${dir}/stdin`,
    stdout: `${dir}/stdout`,
    stderr: `${dir}/stderr`,
    drained: `${dir}/drained`,
    cgroups: `${dir}/cgroups`,
    log: `${bundle}/log`,
    runtimeLog: `${bundle}/log.json`,
    inBundle: IN_BUNDLE.map((name) => `${bundle}/${name}`),
  };
}

/** The shim keeps the runtime's state in `<root option>/<namespace>`: both follow from the runtime's root. */
export function shimNamespace(runtimeRoot: string): { namespace: string; rootOption: string } {
  const namespace = basename(runtimeRoot);
  if (!NAMESPACE.test(namespace) || namespace.length > MAX_NAMESPACE) {
    throw engineError('BAD_OPTION', `runtime root ${quote(runtimeRoot)} does not end in a name that the shim takes`, {
      details: { field: 'runtime.root', value: quote(runtimeRoot), pattern: NAMESPACE.source },
    });
  }
  return { namespace, rootOption: dirname(runtimeRoot) };
}

/** The socket that the shim of this container listens on; known without asking it. */
export function shimSocket(files: ShimFiles, namespace: string, id: string): string {
  const name = createHash('sha256')
    .update(join(files.dir, namespace, id))
    .digest('hex');
  return `${SOCKET_DIR}/${name}`;
}

/** Removes them all and the socket. Idempotent. */
export function removeShimFiles(files: ShimFiles, socket: string): void {
  rmSync(socket, { force: true });
  rmSync(files.dir, { recursive: true, force: true });
  for (const path of files.inBundle) rmSync(path, { recursive: true, force: true });
}
