export {
  createFileExclusive,
  removeStrayTempFiles,
  syncDirectory,
  type WriteFileOptions,
  writeFileAtomic,
} from './atomic-file.js';
export { ensureDirectory } from './directories.js';
export { FileLock, type FileLockOptions, withFileLock } from './file-lock.js';
export { resolveIdPrefix } from './id-prefix.js';
export { type Intent, type IntentProblem, type IntentRecord, type IntentRequest, IntentStore } from './intents.js';
export { ioError } from './io-error.js';
export { type Layout, type LayoutOptions, openLayout } from './layout.js';
export { NameIndex } from './name-index.js';
export { type RecordProblem, RecordStore, type RecordStoreOptions, type Versioned } from './record-store.js';
