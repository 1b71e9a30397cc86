import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CreateContainerOptions } from 'caisson';
import {
  type Bed,
  busyboxTree,
  type Expected,
  failsCleanly,
  IMAGE,
  rejectsWith,
  withEngine,
} from '#support/engine-bed.js';

/** The same bad options fail in the same way for run, ephemeral and durable containers, and nothing of any is left. */
async function refusesEverywhere(
  bed: Bed,
  options: Partial<CreateContainerOptions>,
  expected: Expected,
): Promise<void> {
  const { command = ['true'], ...rest } = options;
  const { image: _image, rootfs: _rootfs, ...forRun } = rest;
  const all = { image: IMAGE, command, ...rest };
  const { containers } = bed.engine;
  if (options.rootfs === undefined) {
    await failsCleanly(bed, () => bed.engine.run(options.image ?? IMAGE, command, forRun), expected);
  }
  await failsCleanly(bed, () => containers.ephemeral(all), expected);
  await failsCleanly(bed, () => containers.run(all), expected);
}

/** A layer's short name is made with its first use and stays with it. */
async function importUsed(bed: Bed, tree: string, reference: string): Promise<void> {
  await bed.engine.images.import(tree, { format: 'rootfs', reference });
  await rejectsWith(bed.engine.run(reference, ['none']), { reason: 'COMMAND_NOT_FOUND' });
}

/** Directories that the first call makes are no leftovers of a later one. */
async function warm(bed: Bed): Promise<void> {
  await bed.engine.run(IMAGE, ['true']);
  const container = await bed.engine.containers.run({ image: IMAGE, command: ['true'], autoRemove: false });
  await container.wait();
  await container.remove();
}

describe('bad options of containers', () => {
  it('image: unknown, malformed, absent', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      await refusesEverywhere(
        bed,
        { image: 'no/such:thing' },
        { reason: 'IMAGE_NOT_FOUND', names: ['"no/such:thing"'] },
      );
      await refusesEverywhere(
        bed,
        { image: `sha256:${'0'.repeat(64)}` },
        { reason: 'IMAGE_NOT_FOUND', names: ['sha256:00'] },
      );
      for (const image of ['UPPERcase', 'a b', 'x:', ':tag', 'x@sha256:12', '../x', 'x\ny', 'http://x/y']) {
        await refusesEverywhere(bed, { image }, { reason: 'BAD_REFERENCE', names: [JSON.stringify(image)] });
      }
      await failsCleanly(bed, () => bed.engine.run('', ['true']), { reason: 'BAD_OPTION', names: ['image', '""'] });
      await failsCleanly(bed, () => bed.engine.containers.create({}), { reason: 'BAD_OPTION', names: ['image'] });
    }));

  it('command: none, empty, not strings', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      await failsCleanly(bed, () => bed.engine.run(IMAGE), { reason: 'NO_COMMAND', names: ['command'], exitCode: 125 });
      await failsCleanly(bed, () => bed.engine.containers.create({ image: IMAGE }), {
        reason: 'NO_COMMAND',
        names: ['command'],
      });
      await refusesEverywhere(bed, { command: [''] }, { reason: 'NO_COMMAND', names: ['command'] });
      await refusesEverywhere(
        bed,
        { command: 'true' as never },
        { reason: 'BAD_OPTION', names: ['command', '"true"'] },
      );
      await refusesEverywhere(bed, { command: ['a\0b'] }, { reason: 'BAD_OPTION', names: ['command[0]', 'NUL'] });
    }));

  it('user: unknown name, unknown group, out of range', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      await refusesEverywhere(bed, { user: 'mallory' }, { reason: 'UNKNOWN_USER', names: ['user', '"mallory"'] });
      await refusesEverywhere(bed, { user: 'root:wheelies' }, { reason: 'UNKNOWN_USER', names: ['wheelies'] });
      await refusesEverywhere(bed, { groups: ['nobodies'] }, { reason: 'UNKNOWN_USER', names: ['nobodies'] });
      for (const user of ['-1', '4294967296', 'a:b:c', 'x\ny']) {
        await refusesEverywhere(bed, { user }, { reason: 'BAD_USER', names: ['user', JSON.stringify(user)] });
      }
    }));

  it('name: taken, malformed', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const { containers } = bed.engine;
      const first = await containers.create({ image: IMAGE, command: ['true'], name: 'one' });
      const error = await failsCleanly(bed, () => containers.create({ image: IMAGE, command: ['true'], name: 'one' }), {
        reason: 'NAME_TAKEN',
        names: ['"one"'],
      });
      assert.equal(error.details['holder'], first.id);
      await failsCleanly(bed, () => bed.engine.run(IMAGE, ['true'], { name: 'one' }), { reason: 'NAME_TAKEN' });
      for (const name of ['', '-a', 'a b', 'a/b', '../a', 'a:b', 'a,b', 'a\nb', 'x'.repeat(129), '__proto__']) {
        await refusesEverywhere(
          bed,
          { name },
          { reason: 'BAD_NAME', names: ['name', JSON.stringify(name).slice(0, 60)] },
        );
      }
    }));

  it('working directory: relative, climbing, in /proc, a link out of the root or into /proc', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      for (const workingDir of [
        'etc',
        '',
        '/a/../../b',
        '/proc',
        '/proc/self/fd/7',
        '/proc/1/root',
        '//proc//x',
        '/sys/x',
      ]) {
        await refusesEverywhere(
          bed,
          { workingDir },
          {
            reason: 'BAD_WORKING_DIR',
            names: ['workingDir', JSON.stringify(workingDir)],
          },
        );
      }
      const tree = join(bed.dir, 'links');
      mkdirSync(join(tree, 'etc'), { recursive: true });
      symlinkSync('../../../../../etc', join(tree, 'out'));
      symlinkSync('/proc/self/fd', join(tree, 'fds'));
      symlinkSync('loop', join(tree, 'loop'));
      writeFileSync(join(tree, 'file'), '');
      await importUsed(bed, tree, 'test/links');
      for (const workingDir of ['/out', '/fds', '/fds/7', '/loop', '/file', '/file/x']) {
        await refusesEverywhere(
          bed,
          { image: 'test/links', workingDir },
          {
            reason: 'BAD_WORKING_DIR',
            names: ['workingDir', JSON.stringify(workingDir)],
          },
        );
      }
    }));

  it('mount targets: relative, climbing, the root, /proc, twice', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const source = bed.dir;
      const targets = [
        'data',
        '',
        '/',
        '/.',
        '/a/../..',
        '/../x',
        '/proc',
        '/proc/sys',
        '/sys/fs/cgroup',
        '/dev',
        '/dev/null',
      ];
      for (const target of targets) {
        for (const type of ['bind', 'tmpfs'] as const) {
          const mounts = [type === 'bind' ? { type, source, target } : { type, target }];
          await refusesEverywhere(
            bed,
            { mounts },
            {
              reason: 'BAD_MOUNT_TARGET',
              names: ['mounts[0].target', JSON.stringify(target)],
            },
          );
        }
      }
      await refusesEverywhere(bed, { tmpfs: { 'x/y': '' } }, { reason: 'BAD_MOUNT_TARGET', names: ['tmpfs', 'x/y'] });
      await refusesEverywhere(
        bed,
        { binds: [`${source}:rel`] },
        { reason: 'BAD_MOUNT_TARGET', names: ['binds[0]', 'rel'] },
      );
      const twice: Partial<CreateContainerOptions>[] = [
        {
          mounts: [
            { type: 'tmpfs', target: '/d' },
            { type: 'bind', source, target: '/d/' },
          ],
        },
        { mounts: [{ type: 'tmpfs', target: '/d' }], tmpfs: { '//d': '' } },
        { binds: [`${source}:/d`], tmpfs: { '/d': '' } },
        { binds: [`${source}:/d`, `${source}:/d:ro`] },
      ];
      for (const options of twice) {
        await refusesEverywhere(bed, options, { reason: 'DUPLICATE_MOUNT_TARGET', names: ['/d'] });
      }
    }));

  it('mount targets that a link of the image leads elsewhere', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const tree = join(bed.dir, 'links');
      mkdirSync(join(tree, 'bin'), { recursive: true });
      symlinkSync('/proc', join(tree, 'kernel'));
      symlinkSync('../../..', join(tree, 'up'));
      await importUsed(bed, tree, 'test/links');
      for (const target of ['/kernel', '/kernel/sys', '/up']) {
        await refusesEverywhere(
          bed,
          { image: 'test/links', mounts: [{ type: 'bind', source: bed.dir, target }] },
          { reason: 'BAD_MOUNT_TARGET', names: [JSON.stringify(target)] },
        );
      }
    }));

  it('mount sources: relative, missing', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const missing = join(bed.dir, 'no such, dir');
      await refusesEverywhere(
        bed,
        { mounts: [{ type: 'bind', source: 'rel', target: '/d' }] },
        {
          reason: 'BAD_MOUNT_SOURCE',
          names: ['mounts[0].source', '"rel"'],
        },
      );
      await refusesEverywhere(
        bed,
        { mounts: [{ type: 'bind', source: missing, target: '/d' }] },
        {
          reason: 'BAD_MOUNT_SOURCE',
          names: ['mounts[0].source', 'no such, dir'],
        },
      );
      await refusesEverywhere(
        bed,
        { mounts: [{ type: 'nfs' as never, target: '/d' }] },
        {
          reason: 'BAD_MOUNT_OPTION',
          names: ['mounts[0].type', '"nfs"'],
        },
      );
      for (const bind of ['/only:ro', 'a:b:c:d', ':/x', '/x:', '/x:/y:maybe']) {
        await failsCleanly(
          bed,
          () => bed.engine.containers.create({ image: IMAGE, command: ['true'], binds: [bind] }),
          {
            reason: bind === '/x:/y:maybe' ? 'BAD_MOUNT_OPTION' : 'BAD_MOUNT_SOURCE',
            names: ['binds[0]'],
          },
        );
      }
    }));

  it('limits: negative, absurd, not numbers', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const bad: Record<string, readonly unknown[]> = {
        memoryBytes: [-1, 0, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, '64m'],
        memoryReservationBytes: [-1],
        memorySwapBytes: [-2],
        cpus: [-1, 0, 1e9, Number.NaN],
        cpuShares: [-1, 1, 262_145],
        cpuQuotaUs: [1, -5],
        cpuPeriodUs: [10, 1e9],
        cpusetCpus: ['3-1', '-1', 'a'],
        pidsLimit: [0, -2, 1e12],
        blkioWeight: [5, 1001],
        shmSizeBytes: [-1, 0, 1],
        oomScoreAdj: [-1001, 1001],
        stopTimeoutMs: [-1, Number.NaN, 1e15],
      };
      for (const [field, values] of Object.entries(bad)) {
        for (const value of values) {
          await refusesEverywhere(bed, { [field]: value }, { reason: 'BAD_LIMIT', names: [field] });
        }
      }
      await refusesEverywhere(bed, { cpus: 1, cpuQuotaUs: 5000 }, { reason: 'CONFLICTING_OPTIONS', names: ['cpus'] });
      await refusesEverywhere(
        bed,
        { ulimits: [{ name: 'nofile', soft: 9, hard: 8 }] },
        {
          reason: 'BAD_ULIMIT',
          names: ['ulimits[0]', '9'],
        },
      );
      await refusesEverywhere(
        bed,
        { ulimits: [{ name: 'files', soft: 1, hard: 1 }] },
        {
          reason: 'BAD_ULIMIT',
          names: ['ulimits[0].name', '"files"'],
        },
      );
    }));

  it('limits of collecting: negative, absurd, not numbers', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const { engine } = bed;
      for (const timeoutMs of [-1, 0, Number.NaN, 1e12, '5' as never]) {
        await failsCleanly(bed, () => engine.run(IMAGE, ['true'], { timeoutMs }), {
          reason: 'BAD_LIMIT',
          names: ['timeoutMs', String(timeoutMs)],
        });
      }
      for (const maxOutputBytes of [-1, 0.5, Number.NaN]) {
        await failsCleanly(bed, () => engine.run(IMAGE, ['true'], { maxOutputBytes }), {
          reason: 'BAD_LIMIT',
          names: ['maxOutputBytes', String(maxOutputBytes)],
        });
      }
      await failsCleanly(bed, () => engine.run(IMAGE, ['true'], { signal: 5 as never }), {
        reason: 'BAD_OPTION',
        names: ['signal', '5'],
      });
    }));

  it('environment entries without a name or "="', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      for (const entry of ['NOEQUALS', '=x', '', 'A\0=b']) {
        // What stands behind the "=" may be a secret.
        const shown = JSON.stringify(entry.replace(/=.*/, ''));
        await refusesEverywhere(bed, { env: [entry] }, { reason: 'BAD_ENV', names: ['env[0]', shown] });
      }
      await refusesEverywhere(bed, { env: { 'A=B': 'c' } }, { reason: 'BAD_ENV', names: ['env', 'A=B'] });
      await refusesEverywhere(bed, { env: { A: 5 as never } }, { reason: 'BAD_ENV', names: ['env["A"]', 'number'] });
    }));

  it('words that do not exist: options, modes, capabilities, signals, sysctls, networks, runtimes', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const cases: [Record<string, unknown>, Expected][] = [
        [{ comand: ['x'] }, { reason: 'UNKNOWN_OPTION', names: ['comand', 'command'] }],
        [{ pidMode: 'shared' }, { reason: 'BAD_NAMESPACE_MODE', names: ['pidMode', '"shared"'] }],
        [{ ipcMode: 'container:' }, { reason: 'BAD_NAMESPACE_MODE', names: ['ipcMode'] }],
        [{ pidMode: 'container:ghost' }, { reason: 'CONTAINER_NOT_FOUND', names: ['"ghost"'] }],
        [{ network: 'backend' }, { reason: 'BAD_NAMESPACE_MODE', names: ['network', '"backend"'] }],
        [{ capAdd: ['CAP_FLY'] }, { reason: 'BAD_CAPABILITY', names: ['capAdd[0]', 'CAP_FLY'] }],
        [{ stopSignal: 'SIGWHAT' }, { reason: 'BAD_SIGNAL', names: ['stopSignal', '"SIGWHAT"'] }],
        [{ sysctls: { 'kernel.panic': '1' } }, { reason: 'BAD_SYSCTL', names: ['kernel.panic'] }],
        [{ hostname: 'a b' }, { reason: 'BAD_HOSTNAME', names: ['hostname', '"a b"'] }],
        [{ labels: { '': 'x' } }, { reason: 'BAD_LABEL', names: ['labels'] }],
        [{ labels: { a: 5 } }, { reason: 'BAD_LABEL', names: ['labels', '5'] }],
        [{ annotations: { 'run.oci.handler': 'krun' } }, { reason: 'BAD_ANNOTATION', names: ['run.oci.handler'] }],
        [{ seccomp: { defaultAction: 'SCMP_ACT_DANCE' } }, { reason: 'BAD_SECCOMP_PROFILE', names: ['seccomp'] }],
        [{ runtime: 'warp' }, { reason: 'UNKNOWN_RUNTIME', names: ['"warp"'] }],
        [{ devices: [{ pathOnHost: '/dev/none-such' }] }, { reason: 'BAD_DEVICE', names: ['/dev/none-such'] }],
        [{ consoleSize: { rows: 1, columns: 1 } }, { reason: 'BAD_OPTION', names: ['consoleSize', 'tty'] }],
        [{ extraHosts: { a: 'not-an-ip' } }, { reason: 'BAD_OPTION', names: ['extraHosts', 'not-an-ip'] }],
      ];
      for (const [options, expected] of cases) await refusesEverywhere(bed, options, expected);
      const durable = { image: IMAGE, command: ['true'] };
      await failsCleanly(bed, () => bed.engine.containers.create({ ...durable, supervisor: 'systemd' as never }), {
        reason: 'BAD_OPTION',
        names: ['supervisor', '"systemd"'],
      });
      await failsCleanly(bed, () => bed.engine.containers.create({ ...durable, autoRemove: 'yes' as never }), {
        reason: 'BAD_OPTION',
        names: ['autoRemove', '"yes"'],
      });
    }));

  it('rootfs: relative, missing, a file, beside an image', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const { containers } = bed.engine;
      const file = join(bed.dir, 'file');
      writeFileSync(file, '');
      const rootfs = async (path: string, expected: Expected): Promise<void> => {
        await failsCleanly(bed, () => containers.ephemeral({ rootfs: path, command: ['true'] }), expected);
        await failsCleanly(bed, () => containers.create({ rootfs: path, command: ['true'] }), expected);
      };
      await rootfs('rel', { reason: 'BAD_OPTION', names: ['rootfs', '"rel"'] });
      await rootfs(join(bed.dir, 'gone'), { reason: 'BAD_OPTION', names: ['rootfs', 'gone'] });
      await rootfs(file, { reason: 'BAD_OPTION', names: ['rootfs', file] });
      await failsCleanly(bed, () => containers.create({ image: IMAGE, rootfs: busyboxTree(), command: ['true'] }), {
        reason: 'CONFLICTING_OPTIONS',
        names: ['rootfs', 'image'],
      });
    }));

  it('options of verbs: grace, signals, log ranges, references', (t) =>
    withEngine(t, async (bed) => {
      await warm(bed);
      const { containers } = bed.engine;
      const container = await containers.run({ image: IMAGE, command: ['sleep', '100'] });
      const logs = async (options: object): Promise<void> => {
        for await (const _ of container.logs(options)) assert.fail('an entry');
      };
      for (const timeoutMs of [-1, Number.NaN, 1e15, '1' as never]) {
        await failsCleanly(bed, () => container.stop({ timeoutMs }), { reason: 'BAD_LIMIT', names: ['timeoutMs'] });
      }
      await failsCleanly(bed, () => container.stop({ stopSignal: 'SIGNO' }), {
        reason: 'BAD_SIGNAL',
        names: ['"SIGNO"'],
      });
      for (const signal of ['SIGNO', 0, 65, -9, '']) {
        await failsCleanly(bed, () => container.kill(signal), {
          reason: 'BAD_SIGNAL',
          names: ['signal', JSON.stringify(signal)],
        });
      }
      for (const tail of [-1, 1.5, Number.NaN]) {
        await failsCleanly(bed, () => logs({ tail }), { reason: 'BAD_LIMIT', names: ['tail'] });
      }
      await failsCleanly(bed, () => logs({ since: new Date('no') }), { reason: 'BAD_OPTION', names: ['since'] });
      for (const reference of ['', 'no-such', 'x/../y', '__proto__', 'a\nb', '0'.repeat(64), '0'.repeat(65)]) {
        await failsCleanly(bed, () => containers.get(reference), {
          reason: 'CONTAINER_NOT_FOUND',
          names: [JSON.stringify(reference)],
        });
        assert.equal(await containers.find(reference), undefined);
      }
      const cases: [object, Expected][] = [
        [{ user: 'mallory' }, { reason: 'UNKNOWN_USER', names: ['mallory'] }],
        [{ workingDir: 'rel' }, { reason: 'BAD_WORKING_DIR', names: ['workingDir', '"rel"'] }],
        [{ workingDir: '/proc/1/cwd' }, { reason: 'BAD_WORKING_DIR', names: ['/proc/1/cwd'] }],
        [{ env: ['NOEQUALS'] }, { reason: 'BAD_ENV', names: ['NOEQUALS'] }],
        [{ tty: 'yes' }, { reason: 'BAD_OPTION', names: ['tty', '"yes"'] }],
        [{ usr: 'x' }, { reason: 'UNKNOWN_OPTION', names: ['usr', 'user'] }],
        [
          { tty: true, consoleSize: { rows: 0, columns: 1 } },
          { reason: 'BAD_LIMIT', names: ['consoleSize.rows', '0'] },
        ],
        [{ timeoutMs: -1 }, { reason: 'BAD_LIMIT', names: ['timeoutMs', '-1'] }],
      ];
      await using box = await containers.ephemeral({ image: IMAGE, command: ['sleep', '100'] });
      await box.exec(['true']);
      for (const [options, expected] of cases) {
        await failsCleanly(bed, () => container.exec(['true'], options), expected);
        await failsCleanly(bed, () => box.exec(['true'], options), expected);
      }
      await failsCleanly(bed, () => box.exec([]), { reason: 'NO_COMMAND', names: ['command', '[]'] });
      await failsCleanly(bed, async () => box.kill('SIGNO' as never), { reason: 'BAD_SIGNAL', names: ['"SIGNO"'] });
      await failsCleanly(bed, () => container.remove(), {
        reason: 'CONTAINER_RUNNING',
        names: [container.id.slice(0, 12)],
      });
    }));
});
