import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { resolveConfig } from '#src/config/index.js';
import { EngineError } from '#src/errors/index.js';
import { type HostFacts, type ProgramProbes, probeHost, runDoctor, SYSTEM_PROBES } from '#src/sysinfo/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';

type Options = Parameters<typeof resolveConfig>[0];

/** Answers from a table of program to version; what is not in it is not installed. */
function installed(versions: Record<string, string | undefined>): ProgramProbes {
  return {
    async probe(program) {
      if (!Object.hasOwn(versions, program)) return undefined;
      const version = versions[program];
      return { path: `/usr/bin/${program}`, version, problem: version === undefined ? 'no version' : undefined };
    },
  };
}

const ALL = {
  runc: '1.1.5',
  crun: '1.8.1',
  conmon: '2.1.6',
  'containerd-shim-runc-v2': '1.6.20',
  perl: '5.36.0',
  zstd: '1.5.4',
};

const GOOD_HOST: HostFacts = {
  ...probeHost(),
  cgroup: { mode: 'v2', mountPoints: ['/sys/fs/cgroup'], controllers: new Map(), unified: '/sys/fs/cgroup' },
  unifiedControllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'],
  kernelVersion: '6.1.0',
  capabilities: (1n << 41n) - 1n,
  isRoot: true,
  seccomp: true,
  overlay: true,
  userNamespaces: true,
};

async function examine(
  t: TestContext,
  {
    facts = GOOD_HOST,
    options = {},
    programs = ALL,
  }: { facts?: HostFacts; options?: Options; programs?: Record<string, string | undefined> },
) {
  const dir = tempDir(t);
  const config = resolveConfig({ root: join(dir, 'root'), runDir: join(dir, 'run'), snapshotter: 'vfs', ...options });
  const report = await runDoctor({ facts, config, probes: installed(programs) });
  const finding = (id: string) => {
    const found = report.findings.find((item) => item.id === id);
    assert.ok(found, `no finding ${id}`);
    return found;
  };
  return { report, finding, dir, config };
}

describe('runDoctor', () => {
  it('finds a good host good', async (t) => {
    const { report } = await examine(t, {});
    assert.deepEqual(
      report.findings.filter((finding) => finding.level === 'error'),
      [],
    );
    assert.equal(report.ok, true);
    const ids = report.findings.map((finding) => finding.id);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('says what to do about each thing that is bad', async (t) => {
    const { report } = await examine(t, {
      facts: { ...GOOD_HOST, seccomp: false, userNamespaces: false, kernelVersion: '4.4.0', isRoot: false },
      programs: {},
    });
    assert.equal(report.ok, false);
    for (const finding of report.findings) assert.equal(finding.remedy === '', finding.level === 'ok', finding.id);
  });

  it('names the capabilities that a reduced root lacks', async (t) => {
    const capabilities = GOOD_HOST.capabilities & ~(1n << 21n) & ~(1n << 27n);
    const { report, finding } = await examine(t, { facts: { ...GOOD_HOST, capabilities } });
    assert.match(finding('root').found, /without CAP_SYS_ADMIN, CAP_MKNOD/);
    assert.equal(report.ok, false);
  });

  it('lets runc serve where crun can’t, and says why', async (t) => {
    const controllers = new Map(
      ['cpu', 'cpuset', 'devices', 'freezer', 'memory', 'pids'].map((name) => [name, `/c/${name}`]),
    );
    const facts = {
      ...GOOD_HOST,
      unifiedControllers: ['hugetlb'],
      cgroup: { ...GOOD_HOST.cgroup, mode: 'hybrid' as const, controllers },
    };
    const { report, finding } = await examine(t, { facts });
    assert.equal(finding('runtime-crun').level, 'warning');
    assert.match(finding('runtime-crun').found, /hybrid/);
    assert.equal(finding('default-runtime').found, 'runc');
    assert.equal(report.ok, true);
    const named = await examine(t, { facts, options: { defaultRuntime: 'crun' } });
    assert.equal(named.finding('default-runtime').level, 'error');
    assert.match(named.finding('default-runtime').remedy, /use runc/);
  });

  it('fails without any runtime, and with only one that is too old or silent', async (t) => {
    for (const runc of [{}, { runc: '0.9.0' }, { runc: undefined }]) {
      const programs: Record<string, string | undefined> = { ...ALL, ...runc };
      delete programs['crun'];
      if (!('runc' in runc)) delete programs['runc'];
      const { report, finding } = await examine(t, { programs });
      assert.equal(finding('default-runtime').level, 'error');
      assert.equal(report.ok, false);
    }
  });

  it('accepts a runtime of the host program', async (t) => {
    const options = { defaultRuntime: 'mine', runtimes: { mine: '/opt/mine' } };
    const { finding } = await examine(t, { options, programs: { ...ALL, '/opt/mine': '0.1.0' } });
    assert.equal(finding('default-runtime').found, 'mine');
  });

  it('warns without a supervisor, and fails when one was asked for by name', async (t) => {
    const programs: Record<string, string> = { ...ALL };
    delete programs['conmon'];
    assert.equal((await examine(t, { programs })).finding('supervisor').found, 'shim');
    const named = await examine(t, { programs, options: { supervisor: 'conmon' } });
    assert.equal(named.finding('supervisor').level, 'error');
    delete programs['containerd-shim-runc-v2'];
    assert.equal((await examine(t, { programs })).finding('supervisor').level, 'warning');
  });

  it('fails without devices controller on v1, and without any cgroups', async (t) => {
    const cgroup = {
      ...GOOD_HOST.cgroup,
      mode: 'v1' as const,
      controllers: new Map([['memory', '/c/memory']]),
      unified: undefined,
    };
    const { finding } = await examine(t, { facts: { ...GOOD_HOST, unifiedControllers: [], cgroup } });
    assert.equal(finding('cgroup').level, 'error');
    assert.match(finding('cgroup').found, /without cpu, cpuset, devices, freezer, pids/);
    const none = { ...GOOD_HOST, cgroup: { ...cgroup, mode: 'none' as const } };
    assert.equal((await examine(t, { facts: none })).finding('cgroup').level, 'error');
  });

  it('refuses a root that others may write in', async (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'root'));
    chmodSync(join(dir, 'root'), 0o777);
    const { finding } = await examine(t, { options: { root: join(dir, 'root') } });
    assert.equal(finding('root-dir').level, 'error');
    assert.match(finding('root-dir').found, /mode 777.*others may write/);
  });

  it('repeats the warnings of the config file', async (t) => {
    const configFile = join(tempDir(t), 'daemon.json');
    writeFileSync(configFile, '{"live-restore":true}');
    assert.match((await examine(t, { options: { configFile } })).finding('config').found, /live-restore/);
  });

  it('ends when the signal is aborted', async (t) => {
    const config = resolveConfig({ root: tempDir(t) });
    await assert.rejects(runDoctor({ facts: GOOD_HOST, config }, { signal: AbortSignal.abort() }), (error: unknown) =>
      EngineError.is(error, 'CANCELED'),
    );
  });
});

describe('runDoctor on this host', () => {
  it('tries overlay, locks and attributes in a root with commas, colons and backslashes, and leaves nothing', async (t) => {
    if (!requireRoot(t)) return;
    const root = join(tempDir(t), 'a,b:c\\d e');
    mkdirSync(root, { mode: 0o700 });
    const config = resolveConfig({ root, snapshotter: 'overlay' });
    const { findings } = await runDoctor({
      facts: { ...GOOD_HOST, overlay: probeHost().overlay },
      config,
      probes: installed(ALL),
    });
    for (const id of ['root-dir', 'locks', 'overlay-root']) {
      assert.equal(findings.find((finding) => finding.id === id)?.level, 'ok', JSON.stringify(findings));
    }
    assert.deepEqual(readdirSync(root), []);
  });

  it('reports a root on a file system that takes no directories', async (t) => {
    if (!requireRoot(t)) return;
    // The process file system takes neither directories nor attributes: the probe must say so and not throw.
    const config = { ...resolveConfig({ root: tempDir(t) }), root: '/proc/1/caisson' };
    const { ok, findings } = await runDoctor({ facts: GOOD_HOST, config, probes: installed(ALL) });
    assert.equal(ok, false);
    assert.equal(findings.find((finding) => finding.id === 'root-dir')?.level, 'error');
  });

  it('reads the version of real programs', async (t) => {
    if (requireBinary(t, 'runc') === undefined) return;
    const runc = await SYSTEM_PROBES.probe('runc', ['--version']);
    assert.match(runc?.version ?? '', /^\d+\.\d+\.\d+/);
    assert.equal(await SYSTEM_PROBES.probe('no-such-program', ['--version']), undefined);
  });

  it('says what a program did instead of telling its version', async (t) => {
    const script = join(tempDir(t), 'tool');
    writeFileSync(script, '#!/bin/sh\necho oops >&2; exit 3\n', { mode: 0o755 });
    const facts = await SYSTEM_PROBES.probe(script, ['--version']);
    assert.equal(facts?.version, undefined);
    assert.match(facts?.problem ?? '', /exit status 3/);
  });
});
