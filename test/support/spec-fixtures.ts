import type { ContainerOptions, HostFacts, SpecInput } from '#src/spec/index.js';

/** A usual host of the documents under test: nothing is probed. */
export const FACTS: HostFacts = {
  cgroupVersion: 1,
  lastCapability: 40,
  seccomp: true,
  architecture: 'x64',
  kernelVersion: '6.1.0',
};

export const ID = 'abcdef0123456789'.repeat(4);

export const ROOT_USER = { uid: 0, gid: 0, additionalGids: [0], home: '/root' };

/** Input of generateSpec for these options, with a command unless one is given. */
export function specInput(options: Partial<ContainerOptions> = {}, more: Partial<SpecInput> = {}): SpecInput {
  return {
    id: ID,
    options: { rootfs: '/r', command: ['true'], ...options },
    image: undefined,
    user: ROOT_USER,
    rootfsPath: '/run/x/rootfs',
    cgroupsPath: '/caisson/x',
    hostFacts: FACTS,
    ...more,
  };
}

/** The part of an image that may reach a container. */
export function imageConfig(more: Partial<NonNullable<SpecInput['image']>> = {}): NonNullable<SpecInput['image']> {
  return {
    user: '',
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: '',
    labels: new Map(),
    volumes: [],
    exposedPorts: [],
    stopSignal: undefined,
    healthcheck: undefined,
    ...more,
  };
}
