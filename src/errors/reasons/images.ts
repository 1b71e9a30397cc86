import { defineReasons } from './define.js';

export const IMAGE_REASONS = defineReasons({
  IMAGE_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'import or load the image first; images.list() shows what is there' },
  BAD_REFERENCE: {
    code: 'INVALID_ARGUMENT',
    remedy: 'write [registry/]repository[:tag][@sha256:digest], all lower case before the tag',
  },
  BAD_DIGEST: { code: 'INVALID_ARGUMENT', remedy: 'write sha256: and 64 lower-case hex digits' },
  DIGEST_MISMATCH: {
    code: 'DATA_LOSS',
    remedy: 'the bytes are not what their digest says; get the image again from a good source',
  },
  SIZE_MISMATCH: {
    code: 'DATA_LOSS',
    remedy: 'the blob is longer or shorter than its descriptor says; get the image again',
  },
  DIFF_ID_MISMATCH: {
    code: 'DATA_LOSS',
    remedy: 'the unpacked layer is not what the image config says; get the image again',
  },
  BAD_MANIFEST: {
    code: 'DATA_LOSS',
    remedy: 'the image document breaks its schema at details.path; build the image again',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    code: 'NOT_IMPLEMENTED',
    remedy: 'convert the image to OCI or Docker schema 2 with tar, gzip or zstd layers',
  },
  NO_MATCHING_PLATFORM: {
    code: 'NOT_FOUND',
    remedy: 'name a platform that the image has; details.platforms lists them',
  },
  BAD_ARCHIVE: { code: 'DATA_LOSS', remedy: 'the archive is truncated or not what it claims; make or fetch it again' },
  BAD_LAYER: {
    code: 'DATA_LOSS',
    remedy: 'the layer has an entry that no layer may have (details.entry); do not use the image',
  },
  LAYER_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    remedy: 'raise the limit that the message names if the image is trusted',
  },
  IMAGE_IN_USE: { code: 'CONFLICT', remedy: 'remove the containers that details.holders lists, or pass force' },
  IMAGE_HAS_NAMES: { code: 'CONFLICT', remedy: 'remove the names that details.names lists one by one, or pass force' },
  SEVERAL_IMAGES: {
    code: 'INVALID_ARGUMENT',
    remedy: 'choose one with select (details.names lists them), or take all with images.load',
  },
  SOURCE_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'give a path that exists' },
  BAD_SOURCE: { code: 'INVALID_ARGUMENT', remedy: 'give a source of the kind that the message names' },
  LIBRARY_NOT_FOUND: {
    code: 'NOT_FOUND',
    remedy: 'install the shared library that the executable needs, or give its path in files',
  },
  NO_REGISTRY_CLIENT: { code: 'FAILED_PRECONDITION', remedy: 'pass connect where the image store is opened' },
  IMAGE_REFUSED: {
    code: 'PERMISSION_DENIED',
    remedy: 'the verify function of the call decides which images may be stored',
  },
  THREAD_LOST: { code: 'INTERNAL', remedy: 'pull again; raise the memory limit of the process if this repeats' },
  BLOB_NOT_FOUND: { code: 'NOT_FOUND', remedy: 'the content is not in the store; import the image again' },
});
