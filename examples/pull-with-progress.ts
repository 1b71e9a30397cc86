// Pulling an image with a bar for each layer in a terminal, and plain lines elsewhere:
// node pull-with-progress.js docker.io/library/alpine:3.22
import { Engine, type LayerProgress, type PullProgress } from 'caisson';
import { examplePlaces } from './support/example-places.js';

const [reference] = process.argv.slice(2);
if (reference === undefined) {
  console.log('name an image to pull, for example docker.io/library/alpine:3.22');
  process.exit(0);
}

const BAR_WIDTH = 24;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

function bar({ digest, status, bytes, totalBytes, isElsewhere }: LayerProgress): string {
  const filled = totalBytes === 0 ? BAR_WIDTH : Math.round((bytes / totalBytes) * BAR_WIDTH);
  const line = `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
  const who = isElsewhere ? ' (by another process)' : '';
  return `${digest.slice(7, 19)} ${line} ${status.padEnd(11)} ${megabytes(bytes)} of ${megabytes(totalBytes)}${who}`;
}

/** Redraws all bars in place. */
function drawBars(): (progress: PullProgress) => void {
  let layers: LayerProgress[] = [];
  return (progress) => {
    if (progress.type === 'resolved') {
      layers = [...progress.layers];
      console.log(`${progress.reference} is ${progress.digest}`);
    } else if (progress.type === 'layer') {
      process.stdout.write(`\x1b[${layers.length}A`);
      layers[progress.index] = progress.layer;
    } else return;
    for (const layer of layers) process.stdout.write(`\x1b[2K${bar(layer)}\n`);
  };
}

/** A line whenever a layer gets further. */
function printLines(): (progress: PullProgress) => void {
  const last = new Map<number, string>();
  return (progress) => {
    if (progress.type === 'resolved') console.log(`${progress.reference} is ${progress.digest}`);
    if (progress.type !== 'layer' || last.get(progress.index) === progress.layer.status) return;
    last.set(progress.index, progress.layer.status);
    console.log(`${progress.layer.digest.slice(7, 19)} ${progress.layer.status}`);
  };
}

await using engine = await Engine.open(examplePlaces());
const image = await engine.images.pull(reference, { onProgress: process.stdout.isTTY ? drawBars() : printLines() });
console.log(`${image.references.join(', ')}: ${megabytes(image.sizeBytes)}, ${image.id}`);
