import { VfsSnapshotter } from '#src/snapshots/index.js';
import { snapshotterContract } from './snapshotter.js';

snapshotterContract('vfs', {
  open: (dir) => VfsSnapshotter.open({ dir }),
  skip: process.geteuid?.() === 0 ? undefined : 'missing: root',
});
