// An image made of programs of this machine, with their libraries: no registry, no download, the same digest each time.
import { Engine } from 'caisson';
import { examplePlaces } from './support/example-places.js';

await using engine = await Engine.open(examplePlaces());
const image = await engine.images.fromHost({
  executables: [process.execPath],
  entrypoint: [process.execPath],
  reference: 'example/node',
});
console.log(`${image.id}`);
// biome-ignore lint/suspicious/noTemplateCurlyInString: the Node process in the container evaluates it.
const { stdout } = await engine.run('example/node', ['-p', '`node ${process.version} as pid ${process.pid}`']);
console.log(stdout.trim());
