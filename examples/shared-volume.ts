// Two containers share a volume: one writes, the other can only read.
import { Engine, EngineError } from 'caisson';
import { examplePlaces } from './support/example-places.js';

await using engine = await Engine.open(examplePlaces());
await engine.images.fromHost({ executables: ['sh', 'cat', 'sleep', 'touch'], reference: 'example/shell' });
await engine.volumes.create({ name: 'mail', labels: { example: 'shared-volume' } });

{
  await using writer = await engine.containers.ephemeral({
    image: 'example/shell',
    command: ['sleep', '1000'],
    binds: ['mail:/out'],
  });
  await using reader = await engine.containers.ephemeral({
    image: 'example/shell',
    command: ['sleep', '1000'],
    binds: ['mail:/in:ro'],
  });

  await writer.exec(['sh', '-c', 'echo "a letter" > /out/letter'], { check: true });
  const { stdout } = await reader.exec(['cat', '/in/letter'], { check: true });
  console.log(`the reader sees: ${stdout.trim()}`);

  const refused = await reader.exec(['touch', '/in/answer']);
  console.log(`the reader writes: ${refused.stderr.trim()}`);

  const removal = await engine.volumes.remove('mail').catch((error: unknown) => error);
  if (!EngineError.is(removal, 'CONFLICT', 'VOLUME_IN_USE')) throw removal;
  console.log(
    `removing it now: ${removal.reason}, held by ${(await engine.volumes.whoUses('mail')).length} containers`,
  );
}

await engine.volumes.remove('mail');
console.log(`volumes left: ${(await engine.volumes.list()).volumes.length}`);
