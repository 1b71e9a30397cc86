import type { ContainerOptions } from '../../spec/container-options.js';
import { collectMounts, type UserMount } from '../../spec/index.js';
import type { ContainerRepository } from '../durable/repository.js';
import { inheritedMounts } from './inherited-mounts.js';
import { mergeMounts } from './merge-mounts.js';

/** A new container's mounts from its options, other containers and its image; anonymous volumes have no name yet. */
export function resolveMounts(
  repository: Pick<ContainerRepository, 'findId' | 'read' | 'listEphemeral' | 'resolve'>,
  options: ContainerOptions,
  imageVolumes: readonly string[],
): UserMount[] {
  const inherited = inheritedMounts(repository, options.volumesFrom);
  return mergeMounts(collectMounts(options), inherited, imageVolumes, options.volumeDriver);
}
