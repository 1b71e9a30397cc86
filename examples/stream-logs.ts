// Following what a container writes, from its first byte on, and knowing which stream each line came from.
import { Engine } from 'caisson';
import { examplePlaces } from './support/example-places.js';

await using engine = await Engine.open(examplePlaces());
await engine.images.fromHost({ executables: ['sh', 'sleep'], reference: 'example/shell' });
const container = await engine.containers.run({
  image: 'example/shell',
  command: ['sh', '-c', 'for word in one two three; do echo $word; sleep 0.05; done; echo done >&2; exit 3'],
});
for await (const entry of container.logs({ follow: true })) {
  console.log(`${entry.time.toISOString()} ${entry.stream} ${entry.text}`);
}
console.log(`exit code ${(await container.wait()).exitCode}`);
await container.remove();
