import { engineError } from '../../../../errors/index.js';

/** One ttrpc message: a ten-byte header (length, stream, type, flags) and its payload. */
export interface Frame {
  readonly stream: number;
  readonly type: number;
  readonly payload: Buffer;
}

export const FRAME_REQUEST = 1;
export const FRAME_RESPONSE = 2;

const HEADER_BYTES = 10;
const MAX_PAYLOAD_BYTES = 4 << 20;

export function encodeFrame(stream: number, type: number, payload: Uint8Array): Buffer {
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw engineError('TTRPC_FAILED', `a message of ${payload.length} bytes is over the protocol's limit of 4 MiB`);
  }
  const frame = Buffer.alloc(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt32BE(stream, 4);
  frame.writeUInt8(type, 8);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames, however it is chunked. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** Throws TTRPC_FAILED when the stream can't be ttrpc. */
  push(chunk: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    while (this.#pending.length >= HEADER_BYTES) {
      const length = this.#pending.readUInt32BE(0);
      if (length > MAX_PAYLOAD_BYTES) {
        throw engineError('TTRPC_FAILED', `the shim announced a message of ${length} bytes, over the limit of 4 MiB`);
      }
      const end = HEADER_BYTES + length;
      if (this.#pending.length < end) break;
      frames.push({
        stream: this.#pending.readUInt32BE(4),
        type: this.#pending.readUInt8(8),
        payload: this.#pending.subarray(HEADER_BYTES, end),
      });
      this.#pending = this.#pending.subarray(end);
    }
    return frames;
  }
}
