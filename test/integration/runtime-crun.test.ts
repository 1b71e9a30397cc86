import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCgroupLayout } from '#src/os/cgroups.js';
import { findExecutable } from '#src/os/find-executable.js';

const crun = findExecutable('crun');

test('crun from sealed memory takes a filter that an earlier container left, and it is in force', {
  skip: crun === undefined ? 'missing: crun' : false,
}, () => {
  const job = fileURLToPath(new URL('../support/crun-seccomp-job.js', import.meta.url));
  // crun refuses hybrid cgroups: it runs in a mount namespace of its own without the v2 tree.
  const { mode, unified } = readCgroupLayout();
  const hide = mode === 'hybrid' && unified !== undefined ? `umount '${unified}' && ` : '';
  const out = execFileSync('unshare', ['-m', 'sh', '-c', `${hide}exec '${process.execPath}' '${job}'`], {
    encoding: 'utf8',
  });
  const { cold, warm, unknown, written } = JSON.parse(out) as Record<'cold' | 'warm' | 'unknown' | 'written', string>;
  // Seccomp 2 is filter mode; mkdir is denied by the profile with errno EPERM.
  for (const text of [cold, warm]) {
    assert.match(text, /^Seccomp:\s+2$/m);
    assert.match(text, /Operation not permitted/);
  }
  // Nobody, root included, can change the copy that runs.
  assert.match(written, /EPERM|ETXTBSY/);
  assert.equal(unknown, 'undefined');
});
