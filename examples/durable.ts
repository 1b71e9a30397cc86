// A durable container: it lives on when the engine is closed, and another process finds it by its name.
import { Engine } from 'caisson';
import { examplePlaces } from './support/example-places.js';

const places = examplePlaces();
{
  await using engine = await Engine.open(places);
  await engine.images.fromHost({ executables: ['sh', 'sleep'], reference: 'example/shell' });
  await engine.containers.run({
    image: 'example/shell',
    name: 'counter',
    command: ['sh', '-c', 'i=0; while sleep 0.05; do i=$((i + 1)); echo "tick $i"; done'],
  });
} // Closed: "counter" goes on ticking.

await new Promise((resolve) => setTimeout(resolve, 300));

await using engine = await Engine.open(places);
const counter = await engine.containers.get('counter');
for await (const entry of counter.logs({ tail: 1 })) console.log(`while nobody looked: ${entry.text}`);
await counter.stop({ timeoutMs: 100 });
const { exitCode } = await counter.wait();
console.log(`stopped with exit code ${exitCode}`);
await counter.remove();
