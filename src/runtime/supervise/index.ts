export { chooseSupervisor, type FoundSupervisors } from './choose.js';
export { createConmonSupervisor } from './conmon/conmon-supervisor.js';
export { createShimSupervisor } from './shim/shim-supervisor.js';
