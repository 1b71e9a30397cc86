import { OverlaySnapshotter } from '#src/snapshots/index.js';
import { snapshotterContract } from './snapshotter.js';

snapshotterContract('overlay', {
  open: (dir) => OverlaySnapshotter.open({ dir }),
  skip: process.geteuid?.() === 0 ? undefined : 'missing: root',
});
