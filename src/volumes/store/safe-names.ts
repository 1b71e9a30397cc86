import { readdirSync } from 'node:fs';
import { errnoOf } from '../../os/syscalls/index.js';
import { ioError } from '../../state/index.js';
import { SAFE_NAME } from '../../util/ids.js';

/** The safe names in a directory; none where there is no directory. */
export function safeNames(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => SAFE_NAME.test(name));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw ioError('list', dir, error);
  }
}
