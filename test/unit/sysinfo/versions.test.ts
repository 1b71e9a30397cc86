import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseVersion, versionGate } from '#src/sysinfo/index.js';

describe('versions', () => {
  const printed: [string, string | undefined][] = [
    ['runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\ngo: go1.19.8', '1.1.5'],
    ['runc version 1.0.0-rc93\nspec: 1.0.2-dev', '1.0.0-rc93'],
    ['crun version 1.8.1\ncommit: f8a096be\nspec: 1.0.0', '1.8.1'],
    ['crun version 1.21\ncommit: 1', '1.21.0'],
    ['conmon version 2.1.6\ncommit: unknown', '2.1.6'],
    ['containerd-shim-runc-v2:\n  Version:  1.6.20~ds1\n  Go version: go1.19.8', '1.6.20'],
    ['*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***', '1.5.4'],
    ['6.18.44-fc-v669', '6.18.44'],
    ['usage: tool [options]', undefined],
    ['', undefined],
  ];
  for (const [output, version] of printed) {
    it(`reads ${JSON.stringify(output.split('\n')[0])}`, () => assert.equal(parseVersion(output), version));
  }

  it('lets a version through a gate at or below it', () => {
    assert.equal(versionGate('1.1.5+ds1', '1.1.5'), true);
    assert.equal(versionGate('1.10.0', '1.9.0'), true);
    assert.equal(versionGate('1.8.1', '1.9.0'), false);
    assert.equal(versionGate('1.0.0-rc93', '1.0.0'), false);
    assert.equal(versionGate('no version', '0.0.0'), false);
  });
});
