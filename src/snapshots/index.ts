export { type ChooseSnapshotterOptions, chooseSnapshotter } from './choose-snapshotter.js';
export { OverlaySnapshotter, type OverlaySnapshotterOptions } from './overlay-snapshotter.js';
export { type OverlayProbe, probeOverlay } from './probe-overlay.js';
export type { LayerTarget, PrepareOptions, SnapshotInfo, Snapshotter, SnapshotUsage } from './snapshotter.js';
export { VfsSnapshotter, type VfsSnapshotterOptions } from './vfs-snapshotter.js';
