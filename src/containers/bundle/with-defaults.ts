import type { ResolvedConfig } from '../../config/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';

/** The container's options over the engine's defaults. */
export function withDefaults(
  options: ContainerOptions,
  config: Pick<ResolvedConfig, 'defaultShmSizeBytes' | 'defaultUlimits' | 'defaultSeccomp'>,
): ContainerOptions {
  const own = options.ulimits ?? [];
  const inherited = config.defaultUlimits.filter((limit) => !own.some((one) => one.name === limit.name));
  return {
    shmSizeBytes: config.defaultShmSizeBytes,
    ...(config.defaultSeccomp !== 'default' && { seccomp: config.defaultSeccomp }),
    ...options,
    ...(inherited.length > 0 && { ulimits: [...own, ...inherited] }),
  };
}
