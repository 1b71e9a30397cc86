import { Worker } from 'node:worker_threads';
import type { LayerTarget } from '../../archive/index.js';
import { engineError } from '../../errors/index.js';
import { fromMessage } from './error-message.js';
import { type Unpacking, unpackHere } from './unpack-here.js';
import type { UnpackRequest, UnpackResult } from './unpack-job.js';
import type { FromWorker, ToWorker } from './unpack-protocol.js';

interface Running {
  readonly request: UnpackRequest;
  readonly onRead: (position: number) => void;
  readonly resolve: (result: UnpackResult) => void;
  readonly reject: (error: unknown) => void;
  settled: ((isSettled: boolean) => void) | undefined;
  unsettled: ((error: unknown) => void) | undefined;
  isDone: boolean;
  available: number;
  /** Where it runs instead, when the thread never came up. */
  here: Unpacking | undefined;
}

/** One thread and the layers in it. */
export class UnpackThread {
  readonly #worker: Worker;
  readonly #jobs = new Map<number, Running>();
  #nextJob = 1;
  #isReady = false;
  #isLost = false;

  constructor(file: URL) {
    this.#worker = new Worker(file, {
      name: 'caisson-unpack',
      // Options of the host's own start (loaders, inspectors) are not meant for it.
      execArgv: [],
      // Descriptors are closed by the code that opened them; some belong to child processes of igzip.
      trackUnmanagedFds: false,
      // A small young heap: buffers are freed soon after their use.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 },
    });
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', (error) => this.#onLost(error));
    this.#worker.on('exit', () => this.#onLost(undefined));
    this.#worker.unref();
  }

  /** The thread ended by itself. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Bytes that its layers have, roughly its work. */
  get load(): number {
    let bytes = 0;
    for (const job of this.#jobs.values()) if (!job.isDone) bytes += job.request.size;
    return bytes;
  }

  start(request: UnpackRequest, onRead: (position: number) => void): Unpacking {
    const id = this.#nextJob++;
    let resolve!: Running['resolve'];
    let reject!: Running['reject'];
    const done = new Promise<UnpackResult>((fulfil, fail) => {
      resolve = fulfil;
      reject = fail;
    });
    done.catch(() => {});
    const job: Running = {
      request,
      onRead,
      resolve,
      reject,
      settled: undefined,
      unsettled: undefined,
      isDone: false,
      available: request.available,
      here: undefined,
    };
    this.#jobs.set(id, job);
    this.#hold();
    this.#send({ op: 'start', job: id, request });
    return {
      done,
      feed: (available) => {
        job.available = available;
        if (job.here !== undefined) job.here.feed(available);
        else this.#send({ op: 'feed', job: id, available });
      },
      settle: (target) => (job.here !== undefined ? job.here.settle(target) : this.#settle(id, job, target)),
      drop: async () => {
        this.#send({ op: 'drop', job: id });
        await job.here?.drop();
        await done.catch(() => {});
        this.#jobs.delete(id);
        this.#hold();
      },
    };
  }

  /** Ends the thread; nothing may run in it. */
  end(): void {
    this.#isLost = true;
    void this.#worker.terminate();
  }

  #settle(id: number, job: Running, target: LayerTarget): Promise<boolean> {
    return new Promise((resolve, reject) => {
      job.settled = resolve;
      job.unsettled = reject;
      this.#hold();
      this.#send({ op: 'settle', job: id, target });
    });
  }

  #send(message: ToWorker): void {
    if (!this.#isLost) this.#worker.postMessage(message);
  }

  /** The host's process lives as long as something runs here, and no longer. */
  #hold(): void {
    const isBusy = [...this.#jobs.values()].some((job) => !job.isDone || job.settled !== undefined);
    if (isBusy) this.#worker.ref();
    else this.#worker.unref();
  }

  #onMessage(message: FromWorker): void {
    if (message.op === 'ready') {
      this.#isReady = true;
      return;
    }
    const job = this.#jobs.get(message.job);
    if (job === undefined) return;
    switch (message.op) {
      case 'read':
        job.onRead(message.position);
        return;
      case 'done':
        job.isDone = true;
        job.resolve(message.result);
        break;
      case 'settled':
        job.settled?.(message.isSettled);
        job.settled = undefined;
        break;
      default:
        this.#fail(job, fromMessage(message.error));
    }
    this.#hold();
  }

  #fail(job: Running, error: unknown): void {
    if (job.isDone) {
      job.unsettled?.(error);
      job.settled = undefined;
    } else {
      job.isDone = true;
      job.reject(error);
    }
  }

  #onLost(error: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const job of this.#jobs.values()) {
      if (this.#isReady) {
        const problem = engineError('THREAD_LOST', 'the thread that unpacked the layer ended', { cause: error });
        this.#fail(job, problem);
      } else {
        // Its code can't be loaded here: nothing was begun, so it is done on this thread.
        job.here = unpackHere({ ...job.request, available: job.available }, job.onRead);
        job.here.done.then(
          (result) => {
            job.isDone = true;
            job.resolve(result);
          },
          (failure) => this.#fail(job, failure),
        );
      }
    }
  }
}
