import { type MessagePort, parentPort } from 'node:worker_threads';
import { toMessage } from './error-message.js';
import { UnpackJob } from './unpack-job.js';
import type { FromWorker, ToWorker } from './unpack-protocol.js';

/*
 * The thread that layers are unpacked in, so that the host's event loop is not: a file of its own in the package.
 */

/** Serves the jobs that come through `port`. */
function serve(port: MessagePort): void {
  const jobs = new Map<number, UnpackJob>();
  const send = (message: FromWorker) => port.postMessage(message);
  const guard = async (job: number, work: () => Promise<void> | void) => {
    try {
      await work();
    } catch (error) {
      send({ op: 'failed', job, error: toMessage(error) });
    }
  };
  port.on('message', (message: ToWorker) => {
    const { job } = message;
    const known = jobs.get(job);
    switch (message.op) {
      case 'start': {
        void guard(job, async () => {
          const started = new UnpackJob(message.request, (position) => send({ op: 'read', job, position }));
          jobs.set(job, started);
          send({ op: 'done', job, result: await started.run() });
        });
        break;
      }
      case 'feed':
        known?.feed(message.available);
        break;
      case 'settle':
        void guard(job, () => send({ op: 'settled', job, isSettled: known?.settle(message.target) ?? false }));
        break;
      default:
        known?.cancel();
        jobs.delete(job);
    }
  });
  send({ op: 'ready' });
}

if (parentPort !== null) serve(parentPort);
