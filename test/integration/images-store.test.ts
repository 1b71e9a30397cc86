import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { ImageLab } from './images-lab.js';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const is = (code: string, reason: string) => (error: unknown) => EngineError.is(error, code as never, reason);

describe('image names and the verbs on them', { skip }, () => {
  let lab: ImageLab;
  const holders = new Map<string, string[]>();
  const make = async (text: string, reference: string, labels = {}) => {
    const root = lab.path(`root-${text}`);
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/text'), text);
    return lab.store.import(root, { reference, config: { cmd: [text], labels } });
  };
  before(() => {
    lab = new ImageLab({ usedBy: (id) => holders.get(id) ?? [] });
  });
  after(() => lab[Symbol.asyncDispose]());

  it('finds by every kind of name', async () => {
    const image = await make('a', 'team/a:1', { ['__proto__']: 'x', tier: 'gold' });
    const hex = image.id.slice(7);
    const names = ['team/a:1', 'docker.io/team/a:1', image.id, hex, hex.slice(0, 12), `sha256:${hex.slice(0, 6)}`];
    for (const name of [...names, `team/a@${image.manifestDigest}`, `team/a:other@${image.manifestDigest}`]) {
      assert.equal((await lab.store.resolve(name)).id, image.id, name);
      assert.equal(lab.store.get(name).id, image.id, name);
    }
    for (const name of [
      'team/a',
      'team/b:1',
      'f'.repeat(64),
      `sha256:${'f'.repeat(64)}`,
      `other@${image.manifestDigest}`,
    ]) {
      await assert.rejects(lab.store.resolve(name), is('NOT_FOUND', 'IMAGE_NOT_FOUND'), name);
      assert.equal(lab.store.find(name), undefined);
    }
    await assert.rejects(lab.store.resolve('Not Good'), is('INVALID_ARGUMENT', 'BAD_REFERENCE'));
    await assert.rejects(lab.store.resolve(''), is('INVALID_ARGUMENT', 'BAD_REFERENCE'));
  });

  it('says when the start of an id fits several images, and prefers names', async () => {
    for (let n = 0; n < 17; n++) await make(`many-${n}`, `many:${n}`);
    const ids = lab.store.list().map(({ id }) => id.slice(7));
    const first = ids.map((id) => id[0] as string);
    const twice = first.find((digit, index) => first.indexOf(digit) !== index) as string;
    assert.throws(() => lab.store.get(twice), is('CONFLICT', 'AMBIGUOUS_ID'));
    const named = await make('named', twice);
    assert.equal(lab.store.get(twice).id, named.id);
    for (let n = 0; n < 17; n++) await lab.store.remove(`many:${n}`);
    await lab.store.remove(`${twice}:latest`);
  });

  it('sees names that another process moved, from its cache', async () => {
    const a = await lab.store.resolve('team/a:1');
    const b = await make('b', 'team/b:1');
    const elsewhere = lab.open();
    await elsewhere.tag('team/b:1', 'team/a:1');
    assert.equal((await lab.store.resolve('team/a:1')).id, b.id);
    await elsewhere.tag(a.id, 'team/a:1');
    assert.equal((await lab.store.resolve('team/a:1')).id, a.id);
    await elsewhere.untag('team/a:1');
    await assert.rejects(lab.store.resolve('team/a:1'), is('NOT_FOUND', 'IMAGE_NOT_FOUND'));
    await elsewhere.tag(a.id, 'team/a:1');
    assert.equal((await lab.store.resolve('team/a:1')).id, a.id);
  });

  it('filters lists', () => {
    const names = (options: object) =>
      lab.store
        .list(options)
        .flatMap(({ references }) => references)
        .sort();
    assert.deepEqual(names({}), ['team/a:1', 'team/b:1']);
    assert.deepEqual(names({ reference: 'team/*' }), ['team/a:1', 'team/b:1']);
    assert.deepEqual(names({ reference: '*' }), []);
    assert.deepEqual(names({ reference: ['team/a', 'x'] }), ['team/a:1']);
    assert.deepEqual(names({ reference: 'team/?:1' }), ['team/a:1', 'team/b:1']);
    assert.deepEqual(names({ labels: { tier: true } }), ['team/a:1']);
    assert.deepEqual(names({ labels: { tier: 'gold' } }), ['team/a:1']);
    assert.deepEqual(names({ labels: { tier: 'gold', ['__proto__']: 'x' } }), ['team/a:1']);
    assert.deepEqual(names({ labels: { tier: 'tin' } }), []);
    assert.deepEqual(names({ since: 'team/a:1' }), ['team/b:1']);
    assert.deepEqual(names({ before: 'team/b:1' }), ['team/a:1']);
    assert.deepEqual(lab.store.list({ dangling: true }), []);
    assert.throws(() => lab.store.list({ since: 'none' }), is('NOT_FOUND', 'IMAGE_NOT_FOUND'));
  });

  it('refuses names that no one can give', async () => {
    for (const name of ['', 'UP', `x@sha256:${'a'.repeat(64)}`, 'a'.repeat(64)]) {
      await assert.rejects(lab.store.tag('team/a:1', name), is('INVALID_ARGUMENT', 'BAD_REFERENCE'));
    }
    await assert.rejects(lab.store.tag('nothing', 'x'), is('NOT_FOUND', 'IMAGE_NOT_FOUND'));
    assert.equal(lab.store.find('x'), undefined);
  });

  it('removes names one by one, the image with the last, and keeps what others share', async () => {
    const b = lab.store.get('team/b:1');
    const chain = (await lab.store.resolve('team/b:1')).chainId as string;
    const root = lab.path('root-b');
    const sibling = await lab.store.import(root, { reference: 'sibling', config: { cmd: ['other'] } });
    assert.equal((await lab.store.resolve('sibling')).chainId, chain);
    await lab.store.tag('team/b:1', 'second');
    await assert.rejects(lab.store.remove(b.id), is('CONFLICT', 'IMAGE_HAS_NAMES'));
    assert.deepEqual(await lab.store.remove('team/b:1'), { untagged: ['team/b:1'], deleted: undefined });
    assert.deepEqual(await lab.store.remove('second'), { untagged: ['second:latest'], deleted: b.id });
    assert.ok(
      (await lab.snapshotter.list()).some(({ key }) => key === chain),
      'the sibling needs the layer',
    );
    assert.match((await lab.tree('sibling'))['etc/text'] as string, /size=1/);
    await lab.store.remove(sibling.id);
    assert.ok(!(await lab.snapshotter.list()).some(({ key }) => key === chain));
    await assert.rejects(lab.store.remove('sibling'), is('NOT_FOUND', 'IMAGE_NOT_FOUND'));
  });

  it('keeps an image that containers use, unless forced, and their layers even then', async () => {
    const image = await make('used', 'used');
    const { chainId } = await lab.store.resolve('used');
    holders.set(image.id, ['box1', 'box2']);
    await lab.snapshotter.prepare('box1', chainId);
    await assert.rejects(lab.store.remove('used'), (error) => {
      assert.ok(EngineError.is(error, 'CONFLICT', 'IMAGE_IN_USE'));
      assert.deepEqual(error.details['holders'], ['box1', 'box2']);
      return true;
    });
    assert.equal(lab.store.get('used').id, image.id);
    const removed = await lab.store.remove('used', { force: true });
    assert.equal(removed.deleted, image.id);
    assert.ok(
      (await lab.snapshotter.list()).some(({ key }) => key === chainId),
      'the container stands on it',
    );
    await lab.snapshotter.remove('box1');
    await lab.store.sweep();
    assert.ok(!(await lab.snapshotter.list()).some(({ key }) => key === chainId));
  });

  it('tells its history and details', async () => {
    const [step] = lab.store.history('team/a:1');
    assert.match(step?.createdBy ?? '', /root file system/);
    assert.ok((step?.sizeBytes ?? 0) > 0);
    const details = lab.store.inspect('team/a:1');
    assert.deepEqual(details.config.cmd, ['a']);
    assert.equal(details.layers.length, 1);
    assert.equal(details.layers[0]?.diffId, step?.diffId);
    assert.equal(details.sizeBytes, details.layers[0]?.sizeBytes);
  });

  it('tells of every change once', async () => {
    lab.events.length = 0;
    const image = await make('events', 'events:1');
    await lab.store.tag('events:1', 'events:2');
    await lab.store.tag('events:1', 'events:2');
    await lab.store.remove('events:1');
    await lab.store.remove('events:2');
    assert.deepEqual(
      lab.events.map(({ action, attributes }) => [action, attributes['name']]),
      [
        ['import', undefined],
        ['tag', 'events:1'],
        ['tag', 'events:2'],
        ['untag', 'events:1'],
        ['untag', 'events:2'],
        ['delete', undefined],
      ],
    );
    assert.ok(lab.events.every(({ id }) => id === image.id));
  });

  it('reports a damaged record, keeps the others and removes nothing for it', async () => {
    const image = await make('damaged', 'damaged');
    const record = lab.path('state/images/images', image.id.slice(7), 'record.json');
    writeFileSync(record, readFileSync(record, 'utf8').replace('linux', 'Linux'));
    assert.throws(() => lab.store.get(image.id), is('DATA_LOSS', 'RECORD_CORRUPT'));
    assert.equal(lab.store.get('team/a:1').references[0], 'team/a:1');
    assert.equal(lab.store.find('damaged'), undefined);
  });

  it('sees a config blob that was changed on disk', async () => {
    const image = await make('bitrot', 'bitrot');
    const blob = lab.path('state/images/content/blobs/sha256', image.id.slice(7));
    writeFileSync(blob, readFileSync(blob, 'utf8').replace('bitrot', 'BITROT'));
    await assert.rejects(lab.store.resolve('bitrot'), is('DATA_LOSS', 'DIGEST_MISMATCH'));
    const stat = statSync(blob);
    assert.equal(stat.mode & 0o777, 0o600);
    await lab.store.remove('bitrot');
    const again = await make('bitrot', 'bitrot');
    assert.deepEqual((await lab.store.resolve(again.id)).config.cmd, ['bitrot']);
  });
});
