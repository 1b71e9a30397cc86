import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { listHostDevices, resolveDevices } from '#src/spec/index.js';
import { throwsReason } from '#support/throws-reason.js';

describe('resolveDevices', () => {
  it('takes numbers, mode and owner from the host', () => {
    const { mode, uid, gid } = statSync('/dev/zero');
    assert.deepEqual(resolveDevices([{ pathOnHost: '/dev/zero', pathInContainer: '/dev/z', permissions: 'r' }]), [
      { path: '/dev/z', type: 'c', major: 1, minor: 5, fileMode: mode & 0o7777, uid, gid, permissions: 'r' },
    ]);
    assert.deepEqual(resolveDevices(undefined), []);
  });

  it('refuses what is no device or takes the place of another', () => {
    throwsReason(() => resolveDevices([{ pathOnHost: '/etc/passwd' }]), 'BAD_DEVICE', 'devices[0].pathOnHost');
    throwsReason(() => resolveDevices([{ pathOnHost: '/dev/absent' }]), 'BAD_DEVICE', 'devices[0].pathOnHost');
    const swapped = [{ pathOnHost: '/dev/zero', pathInContainer: '/dev/null' }];
    throwsReason(() => resolveDevices(swapped), 'BAD_DEVICE', 'devices[0].pathInContainer');
    assert.equal(resolveDevices([{ pathOnHost: '/dev/null' }]).length, 1);
  });

  it('lists the devices of the host without those that a container has', () => {
    const paths = listHostDevices().map((device) => device.path);
    assert.ok(paths.length > 0);
    assert.ok(
      paths.every((path) => path.startsWith('/dev/') && !/^\/dev\/(null|pts|shm|mqueue|console|tty$)/.test(path)),
    );
    assert.equal(new Set(paths).size, paths.length);
  });
});
