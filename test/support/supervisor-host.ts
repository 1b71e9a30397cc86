/** A host process that tests kill: does one job with a supervisor, as its first message says, and reports. */
import type { SupervisedTask, SuperviseRequest } from '#src/runtime/index.js';
import { realRuntime, realSupervisor, type SupervisorName } from './supervisor-bed.js';

interface Order {
  readonly name: SupervisorName;
  readonly runtimeRoot: string;
  readonly runtime: string;
  readonly request: Omit<SuperviseRequest, 'runtime'>;
  readonly job: 'create' | 'launch' | 'wait';
  readonly task?: SupervisedTask;
}

// It ends only when it is killed or says so itself: without a listener the channel would not keep it alive.
const alive = setInterval(() => {}, 60_000);

process.once('message', async (order: Order) => {
  const runtime = realRuntime(order.runtimeRoot, order.runtime);
  const supervisor = realSupervisor(order.name);
  const report = (value: unknown) => process.send?.(value);
  if (order.job === 'wait') {
    report('ready');
    report(await supervisor.wait(order.task as SupervisedTask));
    process.disconnect();
    clearInterval(alive);
    return;
  }
  report('ready');
  const task = await supervisor.create({ ...order.request, runtime });
  if (order.job === 'launch') await supervisor.start(task, runtime);
  report(task);
});
