import { engineError } from '../errors/index.js';
import { shortId } from '../util/ids.js';

/**
 * Where a container is in its life. `starting` and `removing` are intents: a process works on it, or died while doing
 * so and the next one to look finishes or undoes it.
 *
 * @public
 */
export type ContainerStatus = 'created' | 'starting' | 'running' | 'paused' | 'exited' | 'removing';

interface Subject {
  readonly id: string;
  readonly status: ContainerStatus;
}

const ALLOWED = {
  start: ['created', 'exited', 'starting'],
  stop: ['running', 'paused', 'created', 'exited'],
  kill: ['running', 'paused'],
  exec: ['running'],
  stdin: ['running'],
} as const satisfies Record<string, readonly ContainerStatus[]>;

export type GuardedVerb = keyof typeof ALLOWED;

export function mayDo(verb: GuardedVerb, status: ContainerStatus): boolean {
  return (ALLOWED[verb] as readonly ContainerStatus[]).includes(status);
}

/** Throws CONTAINER_NOT_RUNNING or CONTAINER_BAD_STATUS when the verb makes no sense now. */
export function assertMay(verb: GuardedVerb, subject: Subject): void {
  if (mayDo(verb, subject.status)) return;
  const reason = verb === 'start' || verb === 'stop' ? 'CONTAINER_BAD_STATUS' : 'CONTAINER_NOT_RUNNING';
  throw engineError(
    reason,
    `container ${shortId(subject.id)} is ${subject.status}; ${verb} needs it ${ALLOWED[verb].join(' or ')}`,
    {
      details: { id: subject.id, status: subject.status, verb },
    },
  );
}

/** True while there are processes in the container. */
export function isLive(status: ContainerStatus): boolean {
  return status === 'running' || status === 'paused';
}
