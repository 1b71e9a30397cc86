import assert from 'node:assert/strict';
import { it } from 'node:test';
import { closestName } from '#src/util/closest-name.js';

const KNOWN = ['command', 'env', 'memoryBytes', 'mounts', 'workingDir', 'input', 'timeoutMs'];

it('guesses what a mistyped, shortened or foreign option name means, and nothing from far', () => {
  const guesses = {
    memory: 'memoryBytes',
    comand: 'command',
    timeout: 'timeoutMs',
    cwd: 'workingDir',
    volumes: 'mounts',
    CMD: 'command',
    stdin: 'input',
    rm: undefined,
    zzzzzz: undefined,
    ['__proto__']: undefined,
  };
  for (const [typed, meant] of Object.entries(guesses)) assert.equal(closestName(typed, KNOWN), meant, typed);
});
