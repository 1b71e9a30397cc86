import { engineError, quote } from '../../errors/index.js';
import { collectMounts, parseVolumesFrom, type UserMount } from '../../spec/index.js';
import type { ContainerRepository } from '../durable/repository.js';

/** The binds and volumes of the containers that `volumesFrom` names. Throws CONTAINER_NOT_FOUND, AMBIGUOUS_ID, VOLUME_OF_EPHEMERAL. */
export function inheritedMounts(
  repository: Pick<ContainerRepository, 'findId' | 'read' | 'listEphemeral' | 'resolve'>,
  volumesFrom: readonly string[] = [],
): UserMount[] {
  return volumesFrom.flatMap((text, n) => {
    const field = `volumesFrom[${n}]`;
    const { container, readOnly } = parseVolumesFrom(field, text);
    return mountsOf(repository, container)
      .filter((mount) => mount.type !== 'tmpfs')
      .map((mount) => inherit(mount, field, container, readOnly));
  });
}

function mountsOf(
  repository: Pick<ContainerRepository, 'findId' | 'read' | 'listEphemeral' | 'resolve'>,
  reference: string,
): readonly UserMount[] {
  const id = repository.findId(reference);
  if (id !== undefined) {
    const { mounts, options } = repository.read(id);
    return mounts ?? collectMounts(options);
  }
  const ephemeral = repository.listEphemeral().find((one) => one.id === reference || one.name === reference);
  // Throws: there is none.
  if (ephemeral === undefined) repository.resolve(reference);
  return ephemeral?.mounts ?? [];
}

function inherit(mount: UserMount, field: string, container: string, readOnly: boolean): UserMount {
  const common = { ...mount, field, readOnly: mount.readOnly || readOnly };
  if (mount.type !== 'volume') return common;
  if (mount.name === '') {
    throw engineError(
      'VOLUME_OF_EPHEMERAL',
      `field ${field} names the throwaway container ${quote(container)}, whose volume at ${quote(mount.target)} has no name`,
      { details: { field, container, target: mount.target } },
    );
  }
  // It exists: what it was to be made with is not compared again, and it had its chance to be filled.
  const { labels: _labels, driverOptions: _options, mountpoint: _mountpoint, ...use } = mount;
  return { ...use, field, readOnly: common.readOnly, noCopy: true, inherited: true };
}
