// A process that pulls one image into a store and tells its progress; the tests kill it.
import { join } from 'node:path';
import { ImageStore } from '#src/images/index.js';
import { OverlaySnapshotter } from '#src/snapshots/index.js';
import { plainSource } from '#support/plain-source.js';

const [state, url, reference] = process.argv.slice(2) as [string, string, string];
const snapshotter = OverlaySnapshotter.open({ dir: join(state, 'snapshots') });
const source = plainSource(url);
const store = ImageStore.open({ dir: join(state, 'images'), snapshotter, connect: () => source });
await snapshotter.recover();
await store.recover();
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const image = await store.pull(reference, { onProgress: say });
const bytes = source.requests.reduce((sum, request) => sum + request.bytes, 0);
say({ type: 'pulled', id: image.id, bytes });
