import { badField } from './fail.js';

/**
 * Keys by which runtimes, shims, supervisors and hooks are steered: handlers and hooks of crun, shim grouping of containerd,
 * systemd properties of runc, CRIU settings, CDI devices, other engines' switches. Compared in lower case.
 */
const STEERING_PREFIXES = [
  ...['io.containerd.', 'io.kubernetes.', 'io.containers.', 'io.podman.', 'io.katacontainers.', 'io.crun.', 'io.runc.'],
  ...[
    'run.oci.',
    'module.',
    'org.criu.',
    'org.systemd.',
    'org.freedesktop.',
    'org.opencontainers.runtime',
    'cdi.k8s.io',
  ],
  ...['com.docker.', 'io.cri-o.', 'io.kubernetes.cri', 'nri.', 'nvidia.', 'dev.gvisor.', 'caisson.', 'security.alpha.'],
];
const STEERING_KEYS = new Set(['io.kubernetes', 'cdi', 'module', 'org.criu']);

/** True for a key that would reach further than a label. */
export function isSteeringAnnotation(key: string): boolean {
  const lower = key.toLowerCase();
  return STEERING_KEYS.has(lower) || STEERING_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/**
 * The spec's annotations: the caller's, which may not steer (BAD_ANNOTATION), then the engine's own. Nothing of an image
 * comes here: image annotations have switched sandboxes off in other engines (CVE-2026-94603).
 */
export function buildAnnotations(
  fromUser: Readonly<Record<string, string>> | undefined,
  fromEngine: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined {
  const annotations: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(fromUser ?? {})) {
    if (isSteeringAnnotation(key)) {
      throw badField('BAD_ANNOTATION', 'annotations', key, 'steers a runtime or supervisor');
    }
    annotations[key] = value;
  }
  for (const [key, value] of Object.entries(fromEngine ?? {})) annotations[key] = value;
  return Object.keys(annotations).length === 0 ? undefined : annotations;
}
