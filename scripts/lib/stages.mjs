// The parts of the suite, in the order they run. A folder stage runs build/test/<folder>/**/*.test.js with node --test.
const MINUTE = 60_000;

export const STAGES = [
  { name: 'lint', kind: 'tool', file: '@biomejs/biome/bin/biome', args: ['check', '.'], limitMs: 2 * MINUTE },
  { name: 'types', kind: 'tool', file: 'typescript/bin/tsc', args: ['-p', 'tsconfig.types.json'], limitMs: 2 * MINUTE },
  { name: 'unit', kind: 'folder', concurrency: 2, testMs: MINUTE, limitMs: 15 * MINUTE },
  { name: 'contract', kind: 'folder', concurrency: 1, testMs: 3 * MINUTE, limitMs: 15 * MINUTE },
  { name: 'integration', kind: 'folder', concurrency: 1, testMs: 3 * MINUTE, limitMs: 20 * MINUTE },
  { name: 'multi-process', kind: 'folder', concurrency: 1, testMs: 5 * MINUTE, limitMs: 20 * MINUTE },
  { name: 'conformance', kind: 'folder', concurrency: 1, testMs: 3 * MINUTE, limitMs: 15 * MINUTE },
  { name: 'fuzz', kind: 'folder', concurrency: 2, testMs: 2 * MINUTE, limitMs: 10 * MINUTE },
  { name: 'examples', kind: 'folder', concurrency: 1, testMs: 2 * MINUTE, limitMs: 10 * MINUTE },
  { name: 'package', kind: 'folder', concurrency: 1, testMs: 2 * MINUTE, limitMs: 10 * MINUTE },
];
