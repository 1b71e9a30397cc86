// What `npm run quickstart` shows: a container engine at work, on an image made of this machine's own programs.
import { Engine } from 'caisson';
import { examplePlaces } from './support/example-places.js';

const startedAt = performance.now();
let stepAt = startedAt;

/** Prints what was done and how long it took. */
function done(what: string, result = ''): void {
  const now = performance.now();
  console.log(`${(now - stepAt).toFixed(0).padStart(6)} ms  ${what}${result && `  →  ${result}`}`);
  stepAt = now;
}

await using engine = await Engine.open(examplePlaces());
done('open an engine on an empty root');

const image = await engine.images.fromHost({
  executables: ['sh', 'uname', 'id', 'sleep', 'cat', 'true', process.execPath],
  reference: 'quickstart/host',
});
done('make an image of programs of this machine', image.id.slice(7, 19));

const first = await engine.run('quickstart/host', ['uname', '-sr']);
done('run a throwaway container, the first of this runtime', first.stdout.trim());

// biome-ignore lint/suspicious/noTemplateCurlyInString: the Node process in the container evaluates it.
const node = await engine.run('quickstart/host', [process.execPath, '-p', '`pid ${process.pid}, ${os.hostname()}`']);
done('run Node in one', node.stdout.trim());

const times: number[] = [];
for (let i = 0; i < 20; i++) {
  const t = performance.now();
  await engine.run('quickstart/host', ['true']);
  times.push(performance.now() - t);
}
times.sort((a, b) => a - b);
done('run 20 more, one after the other', `median ${times[10]?.toFixed(0)} ms`);

await Promise.all(Array.from({ length: 20 }, () => engine.run('quickstart/host', ['true'])));
done('run 20 at once');

const refused = await engine.run('quickstart/host', ['no-such-program']).catch((error: Error) => error);
done('run what is not there', refused instanceof Error ? refused.message : 'it ran?');

const container = await engine.containers.run({
  image: 'quickstart/host',
  name: 'quickstart',
  command: ['sh', '-c', 'i=0; while sleep 0.02; do i=$((i + 1)); echo "line $i"; done'],
});
done('start a durable container', `${container.name} ${container.id.slice(0, 12)}`);

const { stdout: who } = await container.exec(['id']);
done('exec into it', who.trim());

let lines = 0;
for await (const entry of container.logs({ follow: true })) {
  if (++lines === 5) {
    done('follow its log', entry.text);
    break;
  }
}

await container.stop({ timeoutMs: 100 });
const { exitCode } = await container.wait();
done('stop it', `exit code ${exitCode}`);

await container.remove();
done('remove it', `${(await engine.containers.list({ all: true })).length} containers left`);

await engine.close();
done('close the engine');
console.log(
  `\n${((performance.now() - startedAt) / 1000).toFixed(1)} s in all, nothing downloaded, nothing left behind.`,
);
