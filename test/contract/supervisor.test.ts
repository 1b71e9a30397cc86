import { SupervisorBed } from '#support/supervisor-bed.js';
import { supervisorContract } from './supervisor.js';

supervisorContract('conmon', () => new SupervisorBed('conmon'));
supervisorContract('shim', () => new SupervisorBed('shim'));
// conmon cuts its log path at a colon; everything else in the path of a root must survive too.
supervisorContract('conmon, root with a colon', () => new SupervisorBed('conmon', { prefix: 'super:vi sör-' }));
