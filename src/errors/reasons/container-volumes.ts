import { defineReasons } from './define.js';

export const CONTAINER_VOLUME_REASONS = defineReasons({
  BAD_SUBPATH: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give a relative path without ".." of a volume that is named',
  },
  TREE_CHANGED: {
    code: 'ABORTED',
    remedy: 'somebody else changes the files while they are copied; call again when they are still',
  },
  SYMLINK_REFUSED: {
    code: 'FAILED_PRECONDITION',
    remedy:
      'name the place itself: links inside a volume are not followed, since who writes to it could lead them anywhere',
  },
  SUBPATH_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'make the file or directory in the volume first' },
  VOLUME_OF_EPHEMERAL: {
    code: 'FAILED_PRECONDITION',
    remedy: 'give the volume a name, or take it from a durable container: without one it goes with its container',
  },
  VOLUMES_NOT_RELEASED: {
    code: 'UNAVAILABLE',
    remedy: 'details.failures says why; call again when the drivers answer, or remove with force',
  },
  VOLUMES_NOT_REMOVED: {
    code: 'UNAVAILABLE',
    remedy: 'the container is gone, details.failures says why these are not; remove them with volumes.remove',
  },
  BAD_VOLUMES_FROM: {
    code: 'INVALID_ARGUMENT',
    remedy: 'give the id or name of a container, with :ro or :rw if wanted',
  },
});
