export { type AppliedLayer, type ApplyLayerOptions, applyLayer, DEFAULT_LAYER_LIMITS } from './apply-layer.js';
export { byteString, byteStringToBuffer, byteStringToText } from './byte-string.js';
export {
  type Compression,
  compressGzip,
  DETECT_BYTES,
  type DecompressLimits,
  type DecompressOptions,
  decompress,
  detectCompression,
} from './compression.js';
export { type Expected, HashingStream, verifyStream } from './hash-stream.js';
export type { Ownership } from './layer-metadata.js';
export type { LayerTarget } from './layer-tree.js';
export { LayerUnpacker, type LayerUnpackerOptions } from './layer-unpacker.js';
export type { LayerLimits } from './layer-writer.js';
export { type SparseSegment, type TarEntry, type TarEntryInput, type TarEntryType, tarEntry } from './tar-entry.js';
export { TarParser, type TarSink } from './tar-parser.js';
export { readTar, type TarReaderEntry } from './tar-reader.js';
export {
  encodeTarHeader,
  packTar,
  TAR_END,
  type TarDestination,
  type TarItem,
  TarWriter,
  tarPadding,
} from './tar-writer.js';
export { type TreeToTarOptions, tarFromDirectory } from './write-tree.js';
