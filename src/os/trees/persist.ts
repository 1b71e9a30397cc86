import { clearImmutable, errnoOf } from '../syscalls/index.js';

/**
 * Does one step of a removal. What is gone is fine; where the step is not permitted, `frees` (what is removed and the
 * directories that it is in) lose their immutable attributes and it is tried once more.
 */
export function persist(step: () => void, frees: () => readonly Buffer[]): void {
  try {
    step();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'EPERM' && errno !== 'EACCES') throw error;
    const freed = frees().filter((path) => clearImmutable(path));
    if (freed.length === 0) throw error;
    step();
  }
}
