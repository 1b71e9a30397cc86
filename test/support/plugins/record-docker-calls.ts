// Records what Docker asks a volume plugin, into ./docker-calls.json (relative to the sources). Run by hand, as root,
// where dockerd, docker and a static busybox are installed; no test needs any of them:
//   node build/test/support/plugins/record-docker-calls.js > test/support/plugins/docker-calls.json
// dockerd runs in a mount namespace of its own, without network, in a temporary directory that is removed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from '../run.js';
import type { RecordedCall } from './plugin-behaviour.js';
import { startVolumePlugin } from './volume-plugin.js';

const dir = mkdtempSync(join(tmpdir(), 'caisson-record-'));
const host = `unix://${dir}/docker.sock`;
const afters: (() => void)[] = [];
const plugin = await startVolumePlugin({ after: (work) => afters.push(work) }, { dir: join(dir, 'p') });
const steps: { does: string; fails?: true; calls: object[] }[] = [];
const ids = new Map<string, string>();
let headers: Record<string, string> = {};

/** Ids are random: the first that is seen becomes `id1`, and so on, so equal ones stay equal. */
function named(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, (id) => {
      if (!ids.has(id)) ids.set(id, `id${ids.size + 1}`);
      return ids.get(id) as string;
    })
    .replaceAll(dir, '');
}

async function startDocker(): Promise<ChildProcess> {
  const script = [
    'mount -t tmpfs tmpfs /run/docker',
    'mkdir /run/docker/plugins',
    `mount --bind ${plugin.socketDir} /run/docker/plugins`,
    `exec dockerd --data-root ${dir}/data --exec-root ${dir}/exec --pidfile ${dir}/pid -H ${host} --iptables=false \
--ip6tables=false --bridge=none --storage-driver vfs --cgroup-parent caisson-record >>${dir}/log 2>&1`,
  ].join(' && ');
  mkdirSync('/run/docker', { recursive: true });
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { stdio: 'inherit' });
  for (let tries = 0; tries < 150; tries++) {
    if (existsSync(`${dir}/docker.sock`) && (await run('docker', ['-H', host, 'version'])).code === 0) return child;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`dockerd did not start: ${await runOk('tail', ['-5', `${dir}/log`])}`);
}

async function stopDocker(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function record(does: string, work: () => Promise<{ code: number | null; stderr: string } | undefined>) {
  await plugin.forgetCalls();
  const result = await work();
  // Some calls come after Docker has answered its client.
  await new Promise((resolve) => setTimeout(resolve, 700));
  const calls = await plugin.calls();
  for (const call of calls) headers = call.headers;
  const failed = result !== undefined && result.code !== 0;
  if (failed) process.stderr.write(`${does}: ${result.stderr}\n`);
  steps.push({ does, ...(failed && { fails: true as const }), calls: calls.map(shown) });
}

const shown = (call: RecordedCall) => ({
  path: `/${call.method}`,
  body: named(call.body),
});

const docker = (line: string) => () => run('docker', ['-H', host, ...line.split(' ')]);
const step = (line: string) => record(`docker ${line}`, docker(line));

let daemon = await startDocker();
try {
  const image = spawn('sh', ['-c', `tar -C / -c bin/busybox | docker -H ${host} import - bb`], { stdio: 'ignore' });
  await once(image, 'exit');
  const sleep = 'bb /bin/busybox sleep 1000';
  writeFileSync(join(dir, 'file'), 'content');
  await step('volume create -d testvol --opt size=1 --label a=b vol');
  await step('volume create -d testvol vol');
  await step('volume create -d testvol other');
  await step('volume inspect vol');
  await step('volume ls');
  await step('volume ls -f driver=testvol -f name=vol');
  await step('volume inspect unknown');
  await step(`create --name one --net none -v vol:/data ${sleep}`);
  await record('docker cp into the created container', docker(`cp ${dir}/file one:/data/file`));
  await step('start one');
  await step('volume inspect vol');
  await record('docker cp into the running container', docker(`cp ${dir}/file one:/data/file`));
  await step('inspect one');
  await step(`run -d --name two --net none -v vol:/data:ro ${sleep}`);
  await step('volume rm vol');
  await step('exec one /bin/busybox true');
  await step('restart -t 0 one');
  await step('stop -t 0 one');
  await step('start one');
  await step('rm -f two');
  await record('dockerd restarts while a container that uses the volume was running', async () => {
    await stopDocker(daemon);
    await plugin.forgetCalls();
    daemon = await startDocker();
    return undefined;
  });
  await step('start one');
  await record('docker cp out of the running container', docker(`cp one:/data/file ${dir}/out`));
  await record('docker export', docker(`export -o ${dir}/export.tar one`));
  await step('diff one');
  await step('system df -v');
  await step(`create --name from --volumes-from one --net none ${sleep}`);
  await step('rm -f from');
  await step('rm -f -v one');
  await step(`create --name first -v copied:/bin --volume-driver testvol --net none ${sleep}`);
  await step(`run --rm --net none -v copied:/bin:nocopy bb /bin/busybox true`);
  await step('rm -f first');
  await step(`run --rm --net none --volume-driver testvol -v /anonymous bb /bin/busybox true`);
  await step('volume prune -f');
  await step('volume rm vol');
  await step('volume rm copied');
  await step('volume rm other');
  await step('volume rm other');
  await plugin.behave('VolumeDriver.Create', { kind: 'err', text: 'no space' });
  await record('docker volume create, and Create gives an Err', docker('volume create -d testvol refused'));
  await plugin.behave('VolumeDriver.Create', { kind: 'normal' });
  await docker('volume create -d testvol kept')();
  await plugin.behave('VolumeDriver.Mount', { kind: 'err', text: 'not now' });
  await record(
    'docker run, and Mount gives an Err',
    docker(`run --name three --net none -v kept:/data bb /bin/busybox true`),
  );
  await plugin.behave('VolumeDriver.Mount', { kind: 'normal' });
  await docker('rm -f three')();
  await plugin.behave('VolumeDriver.Remove', { kind: 'err', text: 'busy' });
  await record('docker volume rm, and Remove gives an Err', docker('volume rm kept'));
  await plugin.behave('VolumeDriver.Remove', { kind: 'normal' });
  await plugin.behave('VolumeDriver.Get', { kind: 'status', status: 500, body: '{"Err": "broken"}' });
  await record('docker volume create, and Get answers status 500', docker('volume create -d testvol fresh'));
  await plugin.behave('VolumeDriver.Get', { kind: 'normal' });
  await plugin.restart({ implements: ['NetworkDriver'] });
  await record(
    'docker volume create, after the plugin restarted with another manifest',
    docker('volume create -d testvol late'),
  );
  const { stdout: version } = await run('dockerd', ['--version']);
  const keep = [
    'accept',
    'accept-encoding',
    'content-length',
    'content-type',
    'host',
    'transfer-encoding',
    'user-agent',
  ];
  const facts = Object.fromEntries(keep.map((key) => [key, named(headers[key] ?? '') || null]));
  const text = JSON.stringify(
    { recordedWith: version.trim(), httpMethod: 'POST', headersOfTheLastCall: facts, steps },
    null,
    2,
  );
  process.stdout.write(`${text}\n`);
} finally {
  await stopDocker(daemon);
  for (const after of afters) after();
  // dockerd leaves the parent group of its containers.
  await run('sh', ['-c', 'find /sys/fs/cgroup -depth -type d -path "*/caisson-record*" -exec rmdir {} \\;']);
  rmSync(dir, { recursive: true, force: true });
}
