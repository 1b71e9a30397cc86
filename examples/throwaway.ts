// A throwaway container: it lives as long as its scope, and dies with this process whatever happens to it.
import { Engine } from 'caisson';
import { examplePlaces } from './support/example-places.js';

await using engine = await Engine.open(examplePlaces());
await engine.images.fromHost({ executables: ['sh', 'uname', 'cat', 'sleep'], reference: 'example/shell' });

const { stdout } = await engine.run('example/shell', ['uname', '-sr']);
console.log(`a container says: ${stdout.trim()}`);

{
  await using box = await engine.containers.ephemeral({
    image: 'example/shell',
    command: ['sleep', '1000'],
    memoryBytes: 64 << 20,
  });
  const shouted = await box.exec(['sh', '-c', 'read line; echo "$line!"'], { input: 'hello\n' });
  console.log(`exec gives: ${shouted.stdout.trim()}, exit code ${shouted.exitCode}`);
} // Killed and removed here, also when exec had thrown.

console.log(`left running: ${(await engine.containers.list()).length}`);
