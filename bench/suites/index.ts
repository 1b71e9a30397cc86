import type { Suite } from '../support/suite.js';
import { bigHost } from './big-host.js';
import { durableStart } from './durable-start.js';
import { execTrue } from './exec-true.js';
import { memory } from './memory.js';
import { openList } from './open-list.js';
import { runTrue } from './run-true.js';
import { throughput } from './throughput.js';
import { volumes } from './volumes.js';

export const SUITES: readonly Suite[] = [
  runTrue,
  execTrue,
  durableStart,
  throughput,
  bigHost,
  openList,
  memory,
  volumes,
];
