import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signalNumber } from '#src/containers/signal-number.js';
import { throwsReason } from '#support/throws-reason.js';

describe('signalNumber', () => {
  const good: [string | number, number][] = [
    ['SIGTERM', 15],
    ['TERM', 15],
    ['term', 15],
    ['sigkill', 9],
    ['15', 15],
    [15, 15],
    ['09', 9],
    [1, 1],
    [64, 64],
    ['SIGRTMIN', 34],
    ['RTMIN+3', 37],
    ['sigrtmin+30', 64],
    ['SIGRTMAX', 64],
    ['RTMAX-14', 50],
    ['SIGRTMAX-30', 34],
  ];
  for (const [signal, number] of good) {
    it(`takes ${JSON.stringify(signal)} for ${number}`, () => assert.equal(signalNumber(signal), number));
  }

  const bad: (string | number)[] = [
    '',
    ' ',
    'SIG',
    'SIGNOPE',
    'SIGSIGTERM',
    'TERM ',
    '0',
    0,
    -9,
    '-9',
    65,
    '65',
    1.5,
    Number.NaN,
    'constructor',
    '__proto__',
    'toString',
    'RTMIN+31',
    'RTMIN-1',
    'RTMAX+1',
    'RTMAX-31',
    'RTMIN+',
    '9\n',
  ];
  for (const signal of bad) {
    it(`refuses ${JSON.stringify(signal)}`, () => {
      const error = throwsReason(() => signalNumber(signal), 'BAD_SIGNAL', 'signal');
      assert.equal(error.code, 'INVALID_ARGUMENT');
    });
  }
});
