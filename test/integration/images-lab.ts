import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectRegistry, type ImageEvent, type ImageHolders, ImageStore } from '#src/images/index.js';
import { mountAll, unmount } from '#src/os/index.js';
import { lsetxattr, mkfifo, mknod, utimensat } from '#src/os/syscalls/index.js';
import { OverlaySnapshotter, type Snapshotter, VfsSnapshotter } from '#src/snapshots/index.js';
import { snapshotTree, type TreeSnapshot } from '#support/tree.js';

/** A store in a directory of its own, and other tools to make and read images. */
export class ImageLab implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'caisson-images-'));
  readonly #isMounted: boolean;
  readonly events: ImageEvent[] = [];
  readonly snapshotter: Snapshotter;
  readonly store: ImageStore;
  readonly #connect: ConnectRegistry | undefined;

  constructor(
    options: {
      readonly usedBy?: ImageHolders;
      readonly snapshotter?: 'overlay' | 'vfs';
      readonly tmpfsBytes?: number;
      readonly connect?: ConnectRegistry;
    } = {},
  ) {
    this.#isMounted = options.tmpfsBytes !== undefined;
    this.#connect = options.connect;
    if (options.tmpfsBytes !== undefined) {
      mkdirSync(join(this.dir, 'state'));
      mountAll([{ type: 'tmpfs', source: 'tmpfs', options: [`size=${options.tmpfsBytes}`] }], join(this.dir, 'state'));
    }
    const dir = join(this.dir, 'state/snapshots');
    this.snapshotter = options.snapshotter === 'vfs' ? VfsSnapshotter.open({ dir }) : OverlaySnapshotter.open({ dir });
    this.store = this.open(options.usedBy === undefined ? {} : { usedBy: options.usedBy });
  }

  /** A further store object on the same directories. */
  open(options: { readonly usedBy?: ImageHolders } = {}): ImageStore {
    return ImageStore.open({
      dir: join(this.dir, 'state/images'),
      snapshotter: this.snapshotter,
      emit: (event) => this.events.push(event),
      ...(this.#connect === undefined ? {} : { connect: this.#connect }),
      ...options,
    });
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  /** Every path of the state with the sizes of files: what must be the same after a failure. */
  state(): string[] {
    const found: string[] = [];
    const walk = (dir: string): void => {
      for (const name of readdirSync(dir).sort()) {
        const path = join(dir, name);
        const stat = lstatSync(path);
        found.push(`${path.slice(this.dir.length)} ${stat.isDirectory() ? 'dir' : stat.size}`);
        if (stat.isDirectory()) walk(path);
      }
    };
    walk(this.path('state'));
    return found;
  }

  /** The image as a container would see it. */
  async tree(reference: string): Promise<TreeSnapshot> {
    return this.withRoot(reference, (root) => snapshotTree(root));
  }

  async withRoot<T>(reference: string, work: (root: string) => T): Promise<T> {
    const image = await this.store.resolve(reference);
    const key = `view-${image.id.slice(7, 20)}`;
    const mounts = await this.snapshotter.view(key, image.chainId as string);
    const target = this.path(key);
    mkdirSync(target);
    try {
      mountAll(mounts, target);
      try {
        return work(target);
      } finally {
        unmount(target);
      }
    } finally {
      rmSync(target, { recursive: true });
      await this.snapshotter.remove(key);
    }
  }

  /** The same image unpacked by umoci. */
  umociTree(layout: string, tag: string): TreeSnapshot {
    const bundle = this.path(`bundle-${tag}`);
    run('umoci', 'unpack', '--image', `${layout}:${tag}`, bundle);
    const tree = snapshotTree(join(bundle, 'rootfs'));
    rmSync(bundle, { recursive: true });
    return tree;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isMounted) {
      // A stream that was given up closes its file a turn of the event loop later.
      await new Promise((resolve) => setTimeout(resolve, 50));
      unmount(this.path('state'));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Runs a tool; its output. */
export function run(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 });
}

export function hasTool(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A tree with everything that a layer can have. */
export function makeTree(root: string): void {
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('usr/bin', join(root, 'bin'));
  for (const name of ['etc', 'var', 'tmp', 'dev', 'old', 'opq/inner']) mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  writeFileSync(join(root, 'usr/bin/tool'), 'tool');
  chmodSync(join(root, 'usr/bin/tool'), 0o4755);
  linkSync(join(root, 'usr/bin/tool'), join(root, 'usr/bin/tool-link'));
  lsetxattr(
    join(root, 'usr/bin/tool'),
    'security.capability',
    Buffer.from('0100000200040000000000000000000000000000', 'hex'),
  );
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/owned'), 'x');
  chownSync(join(root, 'etc/owned'), 1234, 4321);
  lsetxattr(join(root, 'etc/owned'), 'user.note', Buffer.from('hello'));
  symlinkSync('/does/not/exist', join(root, 'etc/dangling'));
  mkfifo(join(root, 'var/fifo'), 0o640);
  mknod(join(root, 'dev/null'), 0o020666, 1, 3);
  mknod(join(root, 'dev/loop'), 0o060660, 7, 0);
  writeFileSync(join(root, 'var/sparse'), 'end');
  truncateSync(join(root, 'var/sparse'), 3 << 20);
  writeFileSync(join(root, 'old/gone'), 'gone');
  writeFileSync(join(root, 'old/stays'), 'stays');
  writeFileSync(join(root, 'opq/inner/hidden'), 'hidden');
  writeFileSync(join(root, 'var', 'n'.repeat(200)), 'long');
  writeFileSync(join(root, 'var/ümlaut \n'), 'odd');
  utimensat(join(root, 'etc/passwd'), 1_600_000_000_000_000_000n, 1_600_000_000_000_000_000n);
  utimensat(join(root, 'etc/dangling'), 1_500_000_000_000_000_000n, 1_500_000_000_000_000_000n);
}

/** An OCI layout by umoci: tag `one` with a layer of `makeTree`, tag `two` with a second one that deletes and replaces. */
export function makeUmociLayout(lab: ImageLab): string {
  const layout = lab.path('layout');
  const bundle = lab.path('bundle');
  run('umoci', 'init', '--layout', layout);
  run('umoci', 'new', '--image', `${layout}:one`);
  run('umoci', 'unpack', '--image', `${layout}:one`, bundle);
  const root = join(bundle, 'rootfs');
  makeTree(root);
  run('umoci', 'repack', '--refresh-bundle', '--image', `${layout}:one`, bundle);
  run(
    'umoci',
    'config',
    '--image',
    `${layout}:one`,
    '--config.env',
    'A=1',
    '--config.cmd',
    '/bin/tool',
    '--config.user',
    '1:2',
    '--config.workingdir',
    '/var',
    '--config.label',
    '__proto__=x',
    '--config.volume',
    '/data',
    '--config.exposedports',
    '80/tcp',
    '--config.stopsignal',
    'SIGINT',
    '--architecture',
    'amd64',
    '--os',
    'linux',
  );
  rmSync(join(root, 'old/gone'));
  writeFileSync(join(root, 'old/new'), 'new');
  rmSync(join(root, 'opq'), { recursive: true });
  writeFileSync(join(root, 'opq'), 'a file now');
  rmSync(join(root, 'usr/bin/tool-link'));
  linkSync(join(root, 'etc/owned'), join(root, 'usr/owned-link'));
  run('umoci', 'repack', '--image', `${layout}:two`, bundle);
  const opaque = lab.path('opaque');
  mkdirSync(opaque);
  writeFileSync(join(opaque, 'only'), 'only');
  run('umoci', 'insert', '--opaque', '--image', `${layout}:two`, opaque, '/old');
  rmSync(bundle, { recursive: true });
  return layout;
}
