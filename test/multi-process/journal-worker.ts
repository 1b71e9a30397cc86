// Appends numbered events and notes each one that was acknowledged: `journal-worker <dir> <name> <count> <maxSegmentBytes>`.
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EventJournal } from '#src/events/index.js';

const [dir = '', name = '', count = '0', maxSegmentBytes = '0'] = process.argv.slice(2);
const journal = new EventJournal({
  dir: join(dir, 'events'),
  maxSegmentBytes: Number(maxSegmentBytes),
  keepSegments: 100_000,
});
const ack = openSync(join(dir, `ack.${name}`), 'w');
for (let i = 1; i <= Number(count); i++) {
  // Lines of very different length, some larger than a page.
  const text = 'x'.repeat(i % 50 === 0 ? 9000 : i % 40);
  journal.append({ type: 'container', action: 'start', id: name, attributes: { n: String(i), text } });
  writeSync(ack, String(i), 0);
  if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
}
