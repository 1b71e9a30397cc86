// A volume plugin as a program of its own, with misbehaviours that its parent switches over the IPC channel.
// Started by startVolumePlugin of ./volume-plugin.ts; dies with its parent.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { PluginBehaviour, PluginControl, PluginProcessConfig, RecordedCall } from './plugin-behaviour.js';

const config = JSON.parse(process.argv[2] ?? '') as PluginProcessConfig;
const stateFile = join(config.dir, `${config.name}.json`);
const behaviours = new Map<string, { behaviour: PluginBehaviour; times: number }>();
const calls: RecordedCall[] = [];
let types = config.implements;

interface Volume {
  createdAt: string;
  options: Record<string, string>;
  mountIds: string[];
}
const volumes = new Map<string, Volume>(readState());

function readState(): [string, Volume][] {
  try {
    return JSON.parse(readFileSync(stateFile, 'utf8')) as [string, Volume][];
  } catch {
    return [];
  }
}

const save = () => writeFileSync(stateFile, JSON.stringify([...volumes]));
const pathOf = (name: string) => join(config.dir, 'volumes', name);

function shown(name: string, volume: Volume, whole: boolean): Record<string, unknown> {
  const mounted = volume.mountIds.length > 0 ? { Mountpoint: pathOf(name) } : {};
  return { Name: name, ...mounted, ...(whole && { CreatedAt: volume.createdAt, Status: { options: volume.options } }) };
}

/** Does what the method says; gives the right answer. */
function perform(method: string, request: { Name: string; ID: string; Opts: Record<string, string> | null }): object {
  if (method === 'Plugin.Activate') return { Implements: types };
  if (method === 'VolumeDriver.Capabilities') return { Capabilities: { Scope: config.scope } };
  if (method === 'VolumeDriver.List')
    return { Volumes: [...volumes].map(([name, volume]) => shown(name, volume, false)) };
  const volume = volumes.get(request.Name);
  if (method === 'VolumeDriver.Create') {
    if (volume === undefined) {
      mkdirSync(pathOf(request.Name), { recursive: true });
      volumes.set(request.Name, { createdAt: new Date().toISOString(), options: request.Opts ?? {}, mountIds: [] });
      save();
    }
    return {};
  }
  if (volume === undefined) return { Err: `no such volume: ${request.Name}` };
  switch (method) {
    case 'VolumeDriver.Remove':
      if (volume.mountIds.length > 0) return { Err: `volume ${request.Name} is mounted` };
      volumes.delete(request.Name);
      rmSync(pathOf(request.Name), { recursive: true, force: true });
      save();
      return {};
    case 'VolumeDriver.Mount':
      volume.mountIds.push(request.ID);
      save();
      return { Mountpoint: pathOf(request.Name) };
    case 'VolumeDriver.Unmount': {
      const at = volume.mountIds.indexOf(request.ID);
      if (at === -1) return { Err: `volume ${request.Name} is not mounted as ${request.ID}` };
      volume.mountIds.splice(at, 1);
      save();
      return {};
    }
    case 'VolumeDriver.Path':
      return volume.mountIds.length > 0 ? { Mountpoint: pathOf(request.Name) } : {};
    case 'VolumeDriver.Get':
      return { Volume: shown(request.Name, volume, true) };
    default:
      return { Err: `no method ${method}` };
  }
}

function takeBehaviour(method: string): PluginBehaviour {
  for (const key of [method, '*']) {
    const entry = behaviours.get(key);
    if (entry === undefined) continue;
    entry.times--;
    if (entry.times <= 0) behaviours.delete(key);
    return entry.behaviour;
  }
  return { kind: 'normal' };
}

const TYPE = 'application/vnd.docker.plugins.v1.1+json';

async function answer(method: string, body: string, response: ServerResponse): Promise<void> {
  const behaviour = takeBehaviour(method);
  const send = (value: unknown, status = 200, type = TYPE) =>
    response.writeHead(status, { 'content-type': type }).end(`${JSON.stringify(value)}\n`);
  const run = () => perform(method, body.trim() === '' ? {} : JSON.parse(body));
  const half = () => response.writeHead(200, { 'content-type': TYPE }).write('{"Mountpoint": "/half');
  switch (behaviour.kind) {
    case 'normal':
      return void send(run());
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, behaviour.ms));
      return void send(run());
    case 'hung':
      return;
    case 'garbage':
      return void response.writeHead(200, { 'content-type': TYPE }).end('\u0000\u0001 no { json');
    case 'huge':
      return void send({ ...run(), Filling: 'x'.repeat(behaviour.bytes) });
    case 'endless':
      response.writeHead(200, { 'content-type': TYPE }).write('{"Mountpoint": "');
      return endless(response);
    case 'stalled':
      return void half();
    case 'truncated':
      half();
      return void setTimeout(() => breakOff(response), 20);
    case 'reset':
      return breakOff(response);
    case 'dies':
      if (behaviour.when === 'after') run();
      return void process.kill(process.pid, 'SIGKILL');
    case 'status':
      run();
      return void response.writeHead(behaviour.status).end(behaviour.body ?? '');
    case 'err':
      return void send({ Err: behaviour.text });
    case 'content-type':
      return void send(run(), 200, behaviour.type);
    case 'missing':
      return void response.writeHead(404).end('404 page not found\n');
    case 'redirect':
      return void response.writeHead(302, { location: behaviour.location }).end();
    case 'mountpoint':
      return void send(withMountpoint(run(), behaviour.path));
    case 'answer':
      return void send(behaviour.value);
  }
}

function breakOff(response: ServerResponse): void {
  const { socket } = response;
  // Unix sockets know no reset.
  if (socket?.remoteAddress === undefined) socket?.destroy();
  else socket.resetAndDestroy();
}

function endless(response: ServerResponse): void {
  if (response.destroyed) return;
  response.write('x'.repeat(16 * 1024), () => setTimeout(() => endless(response), 1));
}

function withMountpoint(answer: object, path: string): object {
  const { Volume, Volumes } = answer as { Volume?: object; Volumes?: object[] };
  if (Volume !== undefined) return { Volume: { ...Volume, Mountpoint: path } };
  if (Volumes !== undefined) return { Volumes: Volumes.map((volume) => ({ ...volume, Mountpoint: path })) };
  return { ...answer, Mountpoint: path };
}

const handle: RequestListener = (request: IncomingMessage, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const method = (request.url ?? '').replace(/^\//, '');
    const body = Buffer.concat(chunks).toString('utf8');
    calls.push({
      method,
      httpMethod: request.method ?? '',
      headers: Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)])),
      body,
    });
    void answer(method, body, response);
  });
};

process.on('message', (message: PluginControl) => {
  let result: unknown = null;
  if (message.do === 'behave') {
    if (message.behaviour.kind === 'normal') behaviours.delete(message.method);
    else behaviours.set(message.method, { behaviour: message.behaviour, times: message.times });
  } else if (message.do === 'implement') types = message.types;
  else if (message.do === 'calls') result = calls;
  else calls.length = 0;
  process.send?.({ id: message.id, result });
});
process.on('disconnect', () => process.exit(0));

const { listen } = config;
const tls = 'port' in listen ? listen.tls : undefined;
const server =
  tls === undefined
    ? createServer(handle)
    : createTlsServer(
        {
          cert: tls.cert,
          key: tls.key,
          ...(tls.clientCa !== undefined && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        },
        handle,
      );
const ready = () => process.send?.({ ready: true, port: (server.address() as AddressInfo | null)?.port ?? 0 });
if ('socket' in listen) {
  rmSync(listen.socket, { force: true });
  server.listen(listen.socket, ready);
} else server.listen(listen.port, '127.0.0.1', ready);
