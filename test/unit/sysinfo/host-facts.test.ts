import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { crunObstacle, type HostFacts, probeHost } from '#src/sysinfo/index.js';

describe('probeHost', () => {
  const facts = probeHost();

  it('agrees with the system’s own words', () => {
    assert.equal(facts.kernelVersion, execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim());
    assert.equal(facts.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    assert.equal(facts.isRoot, process.geteuid?.() === 0);
    assert.equal(facts.lastCapability, Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')));
    const machine = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim();
    const expected: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64', s390x: 's390x', ppc64le: 'ppc64le' };
    if (expected[machine] !== undefined) assert.equal(facts.architecture.oci, expected[machine]);
    assert.ok(facts.memoryBytes > 1 << 20);
    assert.ok(facts.cpus >= 1);
  });

  it('finds the hierarchies that are mounted', () => {
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    assert.equal(facts.cgroup.unified !== undefined, /^\S+ \S+ cgroup2 /m.test(mounts));
    for (const [controller, mountPoint] of facts.cgroup.controllers) {
      assert.match(mounts, new RegExp(`^\\S+ ${mountPoint} cgroup \\S*${controller}`, 'm'));
    }
  });
});

describe('crunObstacle', () => {
  const facts = (mode: HostFacts['cgroup']['mode'], unifiedControllers: string[]) => ({
    cgroup: { ...probeHost().cgroup, mode },
    unifiedControllers,
  });

  it('is there only where v1 and a v2 tree with controllers meet', () => {
    assert.match(crunObstacle(facts('hybrid', ['hugetlb'])) ?? '', /hybrid.*hugetlb/);
    assert.equal(crunObstacle(facts('hybrid', [])), undefined);
    assert.equal(crunObstacle(facts('v2', ['memory'])), undefined);
    assert.equal(crunObstacle(facts('v1', [])), undefined);
  });
});
