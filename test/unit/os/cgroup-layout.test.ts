import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCgroupLayout } from '#src/os/index.js';
import { parseMountInfo } from '#src/os/mountinfo.js';

const layout = (text: string) => readCgroupLayout(parseMountInfo(text));

const OTHERS = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
24 22 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw
`;

const V1 = `${OTHERS}30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd
35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:14 - cgroup cgroup rw,seclabel,cpu,cpuacct
36 30 0:32 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory
37 30 0:33 / /sys/fs/cgroup/cpuset rw shared:16 - cgroup cgroup rw,cpuset,clone_children,cpuset_v2_mode
38 30 0:34 / /sys/fs/cgroup/freezer rw shared:17 - cgroup cgroup rw,freezer
39 22 0:34 / /mnt/second\\040freezer rw shared:17 - cgroup cgroup rw,freezer
`;
const V1_POINTS = ['systemd', 'cpu,cpuacct', 'memory', 'cpuset', 'freezer'].map((name) => `/sys/fs/cgroup/${name}`);

describe('the cgroup layout', () => {
  it('of a v1 host: controllers by name, none of the mount options among them', () => {
    const found = layout(V1);
    assert.equal(found.mode, 'v1');
    assert.equal(found.unified, undefined);
    assert.deepEqual(Object.fromEntries(found.controllers), {
      'name=systemd': '/sys/fs/cgroup/systemd',
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
      memory: '/sys/fs/cgroup/memory',
      cpuset: '/sys/fs/cgroup/cpuset',
      freezer: '/sys/fs/cgroup/freezer',
    });
    assert.deepEqual(found.mountPoints, V1_POINTS);
  });

  it('of a hybrid host: v1 first, then the unified one', () => {
    const found = layout(`${V1}40 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n`);
    assert.equal(found.mode, 'hybrid');
    assert.equal(found.unified, '/sys/fs/cgroup/unified');
    assert.deepEqual(found.mountPoints, [...V1_POINTS, '/sys/fs/cgroup/unified']);
  });

  it('of a v2 host: the first unified mount alone', () => {
    const found = layout(
      `${OTHERS}30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
41 22 0:26 / /mnt/again rw - cgroup2 cgroup2 rw\n`,
    );
    assert.equal(found.mode, 'v2');
    assert.deepEqual(found.mountPoints, ['/sys/fs/cgroup']);
    assert.equal(found.controllers.size, 0);
  });

  it('of a host without cgroups', () => {
    assert.deepEqual(layout(OTHERS), { mode: 'none', mountPoints: [], controllers: new Map(), unified: undefined });
  });
});
