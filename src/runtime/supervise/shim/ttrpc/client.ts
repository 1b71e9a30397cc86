import { connect, type Socket } from 'node:net';
import { engineError, quote } from '../../../../errors/index.js';
import { type CallOptions, raceSignal, throwIfAborted } from '../../../../util/signals.js';
import { bytesField, decodeMessage, encodeMessage, numberField, stringField } from '../protobuf.js';
import { encodeFrame, FRAME_REQUEST, FRAME_RESPONSE, type Frame, FrameReader } from './frame.js';

interface PendingCall {
  readonly method: string;
  readonly resolve: (reply: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export interface TtrpcCallOptions extends CallOptions {
  /** False: the process may end before the answer comes. @defaultValue true */
  readonly keepAlive?: boolean;
}

/** Status codes of gRPC that a shim answers with. */
export const GRPC_NOT_FOUND = 5;

/** A ttrpc connection to one service. Calls may overlap; answers come in any order. It keeps the process alive only while calls are open. */
export class TtrpcClient implements Disposable {
  readonly #socket: Socket;
  readonly #service: string;
  readonly #path: string;
  readonly #reader = new FrameReader();
  readonly #calls = new Map<number, PendingCall>();
  #nextStream = 1;
  #ended = false;

  private constructor(socket: Socket, path: string, service: string) {
    this.#socket = socket;
    this.#path = path;
    this.#service = service;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end());
    socket.unref();
  }

  /** Throws SUPERVISOR_GONE when nobody listens at the path. */
  static async connect(path: string, service: string, call: CallOptions = {}): Promise<TtrpcClient> {
    throwIfAborted(call.signal);
    const socket = connect(path);
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (cause) =>
        reject(engineError('SUPERVISOR_GONE', `nobody answers at ${quote(path)}`, { details: { path }, cause })),
      );
    });
    try {
      await raceSignal(connected, call.signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.removeAllListeners('error');
    return new TtrpcClient(socket, path, service);
  }

  /**
   * Calls a method and gives the reply's bytes. Throws TTRPC_FAILED (details.grpcCode, details.message) for a refusal,
   * SUPERVISOR_GONE when the connection ends first. An aborted call stays open at the shim; its answer is dropped.
   */
  async call(method: string, payload: Uint8Array, options: TtrpcCallOptions = {}): Promise<Buffer> {
    throwIfAborted(options.signal);
    if (this.#ended) throw this.#gone(method);
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const request = encodeMessage([
      [1, this.#service],
      [2, method],
      [3, payload],
    ]);
    const reply = new Promise<Buffer>((resolve, reject) => {
      this.#calls.set(stream, { method, resolve, reject });
    });
    if (options.keepAlive !== false) this.#socket.ref();
    this.#socket.write(encodeFrame(stream, FRAME_REQUEST, request));
    try {
      return await raceSignal(reply, options.signal);
    } finally {
      this.#calls.delete(stream);
      if (this.#calls.size === 0) this.#socket.unref();
    }
  }

  close(): void {
    this.#end();
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#answer(frame);
    } catch (error) {
      this.#end(error as Error);
      this.#socket.destroy();
    }
  }

  #answer(frame: Frame): void {
    const call = this.#calls.get(frame.stream);
    if (call === undefined || frame.type !== FRAME_RESPONSE) return;
    const response = decodeMessage(frame.payload);
    const status = decodeMessage(bytesField(response, 1));
    const grpcCode = numberField(status, 1);
    if (grpcCode === 0) {
      call.resolve(bytesField(response, 2));
      return;
    }
    const message = stringField(status, 2);
    const details = { method: call.method, grpcCode, message };
    call.reject(engineError('TTRPC_FAILED', `the shim answered ${call.method} with ${quote(message)}`, { details }));
  }

  #end(cause?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const call of this.#calls.values()) call.reject(this.#gone(call.method, cause));
    this.#calls.clear();
  }

  #gone(method: string, cause?: Error): Error {
    return engineError('SUPERVISOR_GONE', `the shim at ${quote(this.#path)} went away before it answered ${method}`, {
      details: { path: this.#path, method },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
