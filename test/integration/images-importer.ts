// A process that imports one image into a store and says when it is done; the tests kill it.

import { join } from 'node:path';
import { ImageStore } from '#src/images/index.js';
import { OverlaySnapshotter } from '#src/snapshots/index.js';

const [state, source, reference] = process.argv.slice(2) as [string, string, string];
const store = ImageStore.open({
  dir: join(state, 'images'),
  snapshotter: OverlaySnapshotter.open({ dir: join(state, 'snapshots') }),
});
const image = await store.import(source, { reference });
process.stdout.write(image.id);
