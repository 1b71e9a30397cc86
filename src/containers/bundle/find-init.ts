import { findExecutable } from '../../os/index.js';

// Only static programs: a container's root has no loader for a dynamic one.
const CANDIDATES = ['catatonit', '/usr/libexec/podman/catatonit', 'tini-static', 'docker-init'];

/** A small init program that is installed on this host, for containers with `init: true`. */
export function findInit(): string | undefined {
  for (const candidate of CANDIDATES) {
    const found = findExecutable(candidate);
    if (found !== undefined) return found;
  }
  return undefined;
}
