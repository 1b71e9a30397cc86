import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveNamespaces } from '#src/containers/bundle/namespace-paths.js';
import { rootParent } from '#src/containers/bundle/root-parent.js';
import type { ContainerDeps } from '#src/containers/deps.js';
import { EngineError } from '#src/errors/index.js';
import { throwsReason } from '#support/throws-reason.js';

const deps = {
  repository: {
    initPid: async (name: string) => {
      if (name === 'up') return 42;
      if (name === 'down') return undefined;
      throw new Error(`asked for ${name}`);
    },
  },
} as unknown as Pick<ContainerDeps, 'repository'>;

describe('the namespaces of other containers', () => {
  it('are paths of the init process there', async () => {
    assert.deepEqual(
      await resolveNamespaces(deps, { pidMode: 'container:up', ipcMode: 'container:up', network: 'container:up' }, {}),
      { pid: '/proc/42/ns/pid', ipc: '/proc/42/ns/ipc', network: '/proc/42/ns/net' },
    );
    assert.deepEqual(await resolveNamespaces(deps, { network: 'host', pidMode: 'host' }, {}), {});
    assert.deepEqual(await resolveNamespaces(deps, {}, {}), {});
  });

  it('need that container to run', async () => {
    await assert.rejects(
      resolveNamespaces(deps, { ipcMode: 'container:down' }, {}),
      (error) => EngineError.is(error, undefined, 'CONTAINER_NOT_RUNNING') && error.details['field'] === 'ipcMode',
    );
  });
});

describe('what a root is built on', () => {
  it('is the directory of the options before the image', () => {
    assert.deepEqual(rootParent({}, { chainId: 'sha256:c' }), { snapshot: 'sha256:c', options: {} });
    assert.deepEqual(rootParent({}, undefined), { snapshot: undefined, options: {} });
    assert.deepEqual(rootParent({ rootfs: '/usr' }, { chainId: 'sha256:c' }), {
      snapshot: undefined,
      options: { lowerDirectory: '/usr' },
    });
    throwsReason(() => rootParent({ rootfs: '/no/such' }, undefined), 'BAD_OPTION', 'rootfs');
    throwsReason(() => rootParent({ rootfs: '/etc/passwd' }, undefined), 'BAD_OPTION', 'rootfs');
  });
});
