import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { writeEtcFiles } from '#src/containers/bundle/etc-files.js';
import type { ContainerOptions } from '#src/spec/container-options.js';
import { tempDir } from '#support/roots.js';

function write(t: TestContext, options: ContainerOptions, hostname = 'box') {
  const dir = tempDir(t);
  const files = writeEtcFiles(dir, hostname, options);
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  return { dir, files, hosts: read(files.hosts), hostname: read(files.hostname), resolvConf: read(files.resolvConf) };
}

describe('the files in /etc of a container', () => {
  it('name the host itself, and no name server without a network', (t) => {
    const { hosts, hostname, resolvConf, files, dir } = write(t, {});
    assert.equal(hosts, '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tbox\n');
    assert.equal(hostname, 'box\n');
    assert.equal(resolvConf, undefined);
    assert.equal(existsSync(`${dir}/resolv.conf`), false);
    assert.equal(files.hosts, `${dir}/hosts`);
  });

  it('have the domain name and extra hosts, whatever these are called', (t) => {
    const extraHosts = { db: '10.0.0.5', ['__proto__']: '10.0.0.6', constructor: '::2' };
    const { hosts, hostname } = write(t, { domainname: 'example.test', extraHosts });
    const lines = hosts?.trimEnd().split('\n').slice(2);
    assert.deepEqual(lines, [
      '127.0.1.1\tbox.example.test box',
      '10.0.0.5\tdb',
      '10.0.0.6\t__proto__',
      '::2\tconstructor',
    ]);
    assert.equal(hostname, 'box\n');
  });

  it('take the name servers of the options in the order given', (t) => {
    const dns = { servers: ['10.0.0.1', 'fd00::1'], search: ['a.test', 'b.test'], options: ['ndots:2', 'rotate'] };
    assert.equal(
      write(t, { dns }).resolvConf,
      'nameserver 10.0.0.1\nnameserver fd00::1\nsearch a.test b.test\noptions ndots:2 rotate\n',
    );
    assert.equal(write(t, { dns: { servers: ['10.0.0.1'] } }).resolvConf, 'nameserver 10.0.0.1\n');
    assert.equal(write(t, { dns, network: 'host' }).resolvConf?.split('\n')[0], 'nameserver 10.0.0.1');
  });

  it('are those of the host on its network', (t) => {
    const { hosts, resolvConf } = write(t, { network: 'host' });
    assert.ok(!hosts?.includes('127.0.1.1'), 'the name is not ours there');
    const own = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '';
    assert.equal(resolvConf, own);
  });

  it('can be read by every user of the container, whatever the umask of the host process', (t) => {
    const before = process.umask(0o077);
    try {
      const { files } = write(t, { dns: { servers: ['10.0.0.1'] } });
      for (const path of Object.values(files) as string[]) assert.equal(statSync(path).mode & 0o777, 0o644, path);
    } finally {
      process.umask(before);
    }
  });
});
