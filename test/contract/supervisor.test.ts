import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SupervisorBed } from '#support/supervisor-bed.js';
import { supervisorContract } from './supervisor.js';

supervisorContract('conmon', () => new SupervisorBed('conmon'));
supervisorContract('shim', () => new SupervisorBed('shim'));
// conmon cuts its log path at a colon; everything else in the path of a root must survive too.
supervisorContract('conmon, root with a colon', () => new SupervisorBed('conmon', { prefix: 'super:vi sör-' }));

test('conmon runs the exit command, with nothing of the host in its environment', async () => {
  const bed = new SupervisorBed('conmon');
  try {
    const request = bed.request(['true']);
    const seen = `${bed.root}/seen`;
    const exitCommand = ['/bin/sh', '-c', 'env > "$0.tmp"; mv "$0.tmp" "$0"', seen];
    process.env['SUPERVISOR_TEST_SECRET'] = 'hidden';
    const task = await bed.launch({ ...request, exitCommand });
    await bed.supervisor.wait(task);
    for (let tries = 0; !existsSync(seen) && tries < 100; tries++) await delay(20);
    assert.match(readFileSync(seen, 'utf8'), /^PATH=/m);
    assert.doesNotMatch(readFileSync(seen, 'utf8'), /SUPERVISOR_TEST_SECRET/);
    await bed.supervisor.delete(task, bed.runtime);
  } finally {
    delete process.env['SUPERVISOR_TEST_SECRET'];
    bed.remove();
  }
});
