import { EngineError, engineError, quote } from '../../errors/index.js';
import type { LocalVolumeOptions } from './options.js';
import { maskSecrets } from './secrets.js';

/** Most bytes of options that the kernel takes for one mount. */
export const MOUNT_DATA_MAX = 4095;

const UNREACHABLE = new Set(['ETIMEDOUT', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTCONN']);

/**
 * What a failed step of mounting a volume is thrown as. The error of a system call has all its arguments in it,
 * passwords included: none of it may get out.
 */
export function explainFailure(name: string, options: LocalVolumeOptions, error: unknown): unknown {
  const details = (error as { details?: { syscall?: unknown; errno?: unknown } }).details;
  if (details?.syscall === 'mount' && typeof details.errno === 'string')
    return mountError(name, options, details.errno);
  if (EngineError.is(error, undefined, 'TIMED_OUT')) return mountError(name, options, 'ETIMEDOUT');
  return error;
}

export function mountError(name: string, options: LocalVolumeOptions, errno: string): EngineError {
  const device = maskSecrets(options.device);
  const o = maskSecrets(options.o);
  const message =
    `volume ${quote(name)}: mounting device ${quote(device)} as type ${quote(options.type)}` +
    `${o === '' ? '' : ` with options ${quote(o)}`} failed with ${errno}${meaning(errno, options)}`;
  return engineError('LOCAL_VOLUME_MOUNT_FAILED', message, {
    details: { name, type: options.type, device, o, errno, retryable: UNREACHABLE.has(errno) },
  });
}

function meaning(errno: string, options: LocalVolumeOptions): string {
  switch (errno) {
    case 'ENODEV':
      return ` (the kernel knows no file system ${quote(options.type)})`;
    case 'ENOENT':
      return ' (the device, or a path in the options, does not exist)';
    case 'ENOTBLK':
      return ' (the device is no block device)';
    case 'ENOTDIR':
      return ' (the device is no directory)';
    case 'EUCLEAN':
      return ' (the file system of the device is damaged)';
    case 'EINVAL':
      return ' (an option that the file system does not know, or a device that has no such file system)';
    case 'EPERM':
    case 'EACCES':
      return ' (not permitted)';
    case 'E2BIG':
      return ` (more than ${MOUNT_DATA_MAX} bytes of options)`;
    case 'ETIMEDOUT':
      return ' (its server or disk does not answer)';
    default:
      return '';
  }
}
