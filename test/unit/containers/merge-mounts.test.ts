import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inheritedMounts } from '#src/containers/volumes/inherited-mounts.js';
import { mergeMounts } from '#src/containers/volumes/merge-mounts.js';
import { EngineError } from '#src/errors/index.js';
import { collectMounts, type UserMount } from '#src/spec/index.js';

const show = (mounts: readonly UserMount[]): string[] =>
  mounts.map((mount) => {
    const what = mount.type === 'bind' ? mount.source : mount.type === 'volume' ? mount.name || 'anonymous' : 'tmpfs';
    return `${mount.target}=${what}${mount.readOnly ? ':ro' : ''}`;
  });

describe('the mounts of a container', () => {
  it('own ones win, later inherited ones over earlier ones, image volumes come last', () => {
    const own = collectMounts({ binds: ['mine:/a'], tmpfs: { '/t': '' } });
    const inherited = [...collectMounts({ binds: ['x:/a', 'x:/b', 'x:/t'] }), ...collectMounts({ binds: ['y:/b'] })];
    const merged = mergeMounts(own, inherited, ['/a', '/b', '/t', '/d/e', '/d/'], 'drv');
    assert.deepEqual(show(merged), ['/a=mine', '/b=y', '/t=tmpfs', '/d=anonymous', '/d/e=anonymous']);
    assert.deepEqual(
      merged.filter((mount) => mount.type === 'volume' && mount.driver === 'drv').map(({ target }) => target),
      ['/d', '/d/e'],
    );
  });

  it('what an image calls a volume is read from the root, and never at the places of the runtime', () => {
    assert.deepEqual(show(mergeMounts([], [], ['data', './x//y', '/a/../b'])), [
      '/data=anonymous',
      '/b=anonymous',
      '/x/y=anonymous',
    ]);
    for (const path of ['/', '', '..', '/proc', '/proc/self/attr', 'x/../../proc', '/sys/fs', '/dev', '/dev/null']) {
      assert.throws(
        () => mergeMounts([], [], [path]),
        (error) =>
          EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_MOUNT_TARGET') && /image\.volumes/.test(error.message),
        path,
      );
    }
  });
});

describe('mounts of other containers', () => {
  const mounts = collectMounts({
    mounts: [
      { type: 'volume', source: 'data', target: '/d', labels: { a: 'b' }, driver: 'drv' },
      { type: 'bind', source: '/h', target: '/h', readOnly: true },
      { type: 'tmpfs', target: '/t' },
    ],
  });
  const repository = (ephemeral: readonly UserMount[] = []) =>
    ({
      findId: (name: string) => (name === 'web' ? 'id' : undefined),
      read: () => ({ mounts }),
      listEphemeral: () => [{ id: 'e', name: 'box', mounts: ephemeral }],
      resolve: (name: string) => {
        throw new Error(`no ${name}`);
      },
    }) as unknown as Parameters<typeof inheritedMounts>[0];

  it('are its binds and volumes, read-only where either says so', () => {
    assert.deepEqual(show(inheritedMounts(repository(), ['web'])), ['/d=data', '/h=/h:ro']);
    assert.deepEqual(show(inheritedMounts(repository(), ['web:ro'])), ['/d=data:ro', '/h=/h:ro']);
    const [volume] = inheritedMounts(repository(), ['web']);
    assert.ok(volume?.type === 'volume' && volume.inherited && volume.noCopy && volume.labels === undefined);
  });

  it('of a throwaway one too, but not its volumes without a name', () => {
    assert.deepEqual(show(inheritedMounts(repository(collectMounts({ binds: ['n:/n'] })), ['box:ro'])), ['/n=n:ro']);
    assert.throws(() => inheritedMounts(repository(collectMounts({ binds: ['/n'] })), ['box']), {
      reason: 'VOLUME_OF_EPHEMERAL',
    });
    assert.throws(() => inheritedMounts(repository(), ['nobody']), /no nobody/);
  });
});
