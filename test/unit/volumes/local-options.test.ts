import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MS } from '#src/os/syscalls/index.js';
import { bindFlags, flagsOfMount, parseMountWords } from '#src/volumes/local/mount-words.js';
import { assertVolumeName } from '#src/volumes/local/names.js';
import { checkOptions } from '#src/volumes/local/options.js';
import { resolveAddresses } from '#src/volumes/local/resolve-addresses.js';
import { maskSecrets } from '#src/volumes/local/secrets.js';
import { parseSize } from '#src/volumes/local/size.js';
import { throwsReason } from '#support/throws-reason.js';

describe('names of local volumes', () => {
  it('are two characters at least', () => {
    for (const name of ['aa', '0a', 'a_b.c-d', 'A'.repeat(128), 'x.', 'metadata.db']) assertVolumeName(name);
    for (const name of ['', 'a', '.a', '_a', '-a', 'a/b', '/tmp', '..', 'a b', 'ä1', 'a\n', 'a'.repeat(129), 7, null]) {
      throwsReason(() => assertVolumeName(name), 'LOCAL_VOLUME_BAD_NAME', 'name');
    }
  });

  it('are refused with what was probably meant', () => {
    assert.match(throwsReason(() => assertVolumeName('a'), 'LOCAL_VOLUME_BAD_NAME').message, /too short/);
    assert.match(throwsReason(() => assertVolumeName('./data'), 'LOCAL_VOLUME_BAD_NAME').message, /absolute path/);
    assert.match(throwsReason(() => assertVolumeName('a'), 'LOCAL_VOLUME_BAD_NAME').message, /absolute path/);
  });
});

describe('sizes', () => {
  it('are read with binary units', () => {
    const G = 2 ** 30;
    const sizes: Record<string, number> = {
      ...{ '4096': 4096, '4096b': 4096, '1k': 1024, '1K': 1024, '1kb': 1024, '1KiB': 1024, '10G': 10 * G },
      ...{ '1.5g': 1.5 * G, '2 GiB': 2 * G, '1T': 1024 * G, '1p': 2 ** 50, ' 1m ': 2 ** 20 },
    };
    for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes, text);
    for (const text of ['', 'x', '-1', '1x', '1 k k', 'k', '1e3', '0x10', '99999999p', '1..5k', 'NaN']) {
      assert.equal(parseSize(text), undefined, text);
    }
  });
});

describe('options of a local volume', () => {
  const wrong = (options: Record<string, string>, field: string, message: RegExp) => {
    const error = throwsReason(() => checkOptions(options), 'LOCAL_VOLUME_BAD_OPTION', field);
    assert.match(error.message, message);
  };

  it('are kept as they were given; empty ones are none', () => {
    assert.deepEqual(checkOptions({}), { type: '', device: '', o: '' });
    assert.deepEqual(checkOptions({ type: '', device: '', o: '', size: '' }), { type: '', device: '', o: '' });
    assert.deepEqual(checkOptions({ size: '1k' }), { type: '', device: '', o: '', sizeBytes: 1024 });
    const tmpfs = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' };
    assert.deepEqual(checkOptions(tmpfs), tmpfs);
  });

  it('are four, and the nearest is named', () => {
    wrong({ devise: '/x' }, 'devise', /did you mean device\?/);
    wrong({ Size: '1k' }, 'Size', /did you mean size\?/);
    wrong(JSON.parse('{"__proto__":"x"}') as Record<string, string>, '__proto__', /does not exist/);
    wrong({ constructor: 'x' }, 'constructor', /does not exist/);
    wrong({ size: 7 as unknown as string }, 'size', /not a text/);
    wrong({ type: 'a\0b', device: 'x' }, 'type', /not a text/);
  });

  it('need one another as they do in Docker', () => {
    wrong({ device: '/dev/sdx' }, 'type', /option device "\/dev\/sdx" needs option type/);
    wrong({ type: 'ext4' }, 'device', /option type "ext4" needs option device/);
    wrong({ o: 'ro' }, 'type', /option o "ro" needs options type and device/);
    wrong({ o: 'ro', type: 'ext4' }, 'device', /needs option device/);
    wrong({ type: 'tmpfs', device: 'tmpfs', size: '1m' }, 'size', /a tmpfs takes size= in option o/);
    wrong({ size: '0' }, 'size', /not a size/);
    wrong({ size: 'much' }, 'size', /not a size/);
  });

  it('of a bind name an absolute directory and nothing for a file system', () => {
    checkOptions({ type: 'none', device: '/srv/x', o: 'bind' });
    checkOptions({ type: 'none', device: '/srv/x', o: 'rbind,ro,rslave,nosuid,_netdev,x-systemd.automount' });
    wrong({ type: 'none', device: 'srv/x', o: 'bind' }, 'device', /not an absolute path/);
    wrong({ type: 'none', device: '/srv/x' }, 'o', /needs bind or rbind/);
    wrong({ type: 'bind', device: '/srv/x', o: 'ro' }, 'o', /needs bind or rbind/);
    wrong({ type: 'none', device: '/srv/x', o: 'bind,uid=3' }, 'o', /means nothing to a bind/);
  });

  it('can not remount, move or loop', () => {
    for (const word of ['remount', 'move', 'loop', 'loop=/dev/loop3']) {
      wrong({ type: 'ext4', device: '/dev/x', o: `ro,${word}` }, 'o', new RegExp(word));
    }
  });

  it('of cifs have the port in o', () => {
    for (const device of [
      '//host:445/share',
      '//user:pw@host:1/share',
      '\\\\host:445\\share',
      'smb://host:9/s',
      '//[::1]:4/s',
    ]) {
      wrong({ type: 'cifs', device, o: 'addr=1.2.3.4' }, 'device', /port=/);
    }
    for (const device of ['//host/share', '//host/sh:are', '//user:pw@host/share', '//[fe80::1]/share']) {
      checkOptions({ type: 'cifs', device, o: 'addr=1.2.3.4' });
    }
    checkOptions({ type: 'nfs', device: 'host:/share', o: 'addr=1.2.3.4' });
  });

  it('fit into a page and hold no relative overlay path', () => {
    wrong({ type: 'tmpfs', device: 'x', o: `mpol=${'a'.repeat(4096)}` }, 'o', /4101 bytes .* takes 4095/);
    checkOptions({ type: 'overlay', device: 'overlay', o: 'lowerdir=/a:/b\\:c:/d,upperdir=/u,workdir=/w' });
    wrong({ type: 'overlay', device: 'overlay', o: 'lowerdir=/a:b,upperdir=/u,workdir=/w' }, 'o', /not absolute/);
    wrong({ type: 'overlay', device: 'overlay', o: 'lowerdir=/a,upperdir=u,workdir=/w' }, 'o', /not absolute/);
    wrong({ type: 'ext4,xfs', device: '/dev/x' }, 'type', /not one file system type/);
  });

  it('never show a password', () => {
    const o = 'vers=3,username=me,password=hunter2,PASS=hunter2,password2=hunter2,secret=hunter2,remount';
    const error = throwsReason(
      () => checkOptions({ type: 'cifs', device: '//me:hunter2@h:1/s', o }),
      'LOCAL_VOLUME_BAD_OPTION',
    );
    assert.doesNotMatch(JSON.stringify(error), /hunter2/);
    for (const options of [{ device: '//me:hunter2@h/s' }, { o: 'password=hunter2' }]) {
      const early = throwsReason(() => checkOptions(options), 'LOCAL_VOLUME_BAD_OPTION');
      assert.doesNotMatch(JSON.stringify(early), /hunter2/);
    }
    assert.equal(maskSecrets('a=1,password="hun,ter2",b'), 'a=1,password=****,b');
    assert.equal(maskSecrets('//me:hunter2@host/s'), '//me:****@host/s');
    assert.equal(maskSecrets('compassword=1,bypass=2'), 'compassword=1,bypass=2');
  });
});

describe('words of o', () => {
  it('become flags, changes of propagation and data', () => {
    const words = parseMountWords(
      'defaults,ro,nosuid,uid=1,rw,noatime,rslave,auto,nofail,comment=x,user,context="a,b"',
    );
    assert.equal(words.flags, MS.NOSUID | MS.NOATIME);
    assert.equal(words.cleared & MS.RDONLY, MS.RDONLY);
    assert.deepEqual(words.propagation, [MS.SLAVE | MS.REC]);
    assert.deepEqual(words.data, ['uid=1', 'context="a,b"']);
    assert.deepEqual(parseMountWords(',,lowerdir=/a\\,b,,').data, ['lowerdir=/a\\,b']);
    assert.equal(parseMountWords('noatime,relatime').flags, MS.RELATIME);
  });

  it('of a bind keep what its source is mounted with, unless they say otherwise', () => {
    const source = flagsOfMount(['rw', 'nosuid', 'nodev', 'relatime']);
    assert.equal(bindFlags(parseMountWords('bind,ro'), source), MS.RDONLY | MS.NOSUID | MS.NODEV | MS.RELATIME);
    assert.equal(bindFlags(parseMountWords('bind,suid,noatime'), source), MS.NODEV | MS.NOATIME);
  });
});

describe('addresses', () => {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return host === 'six' ? 'fe80::1' : host === 'evil' ? '1.1.1.1,uid=0' : '192.0.2.7';
  };
  const words = (type: string, device: string, ...data: string[]) =>
    resolveAddresses({ type, device, data }, resolve, {});

  it('take the place of names', async () => {
    assert.deepEqual(await words('nfs', ':/x', 'addr=nas', 'ro'), ['addr=192.0.2.7', 'ro']);
    assert.deepEqual(await words('nfs4', ':/x', 'vers=4', 'addr=six'), ['vers=4', 'addr=fe80::1']);
    assert.deepEqual(await words('nfs', 'nas:/x'), ['addr=192.0.2.7']);
    assert.deepEqual(await words('cifs', '//user:pw@nas/share', 'vers=3'), ['vers=3', 'addr=192.0.2.7']);
    assert.deepEqual(asked, ['nas', 'six', 'nas', 'nas']);
  });

  it('are left as they are, and so are other file systems', async () => {
    asked.length = 0;
    assert.deepEqual(await words('nfs', ':/x', 'addr=192.0.2.1'), ['addr=192.0.2.1']);
    assert.deepEqual(await words('nfs', '[fe80::2]:/x'), ['addr=fe80::2']);
    assert.deepEqual(await words('tmpfs', 'nas:/x', 'addr=nas'), ['addr=nas']);
    assert.deepEqual(asked, []);
  });

  it('that are none, or more than that, are refused', async () => {
    const reason = (wanted: string) => (error: { reason?: string }) => error.reason === wanted;
    await assert.rejects(words('nfs', ':/x', 'addr=evil'), reason('LOCAL_VOLUME_UNKNOWN_HOST'));
    const failing = () => Promise.reject(new Error('no such host'));
    await assert.rejects(
      resolveAddresses({ type: 'nfs', device: ':/x', data: ['addr=gone'] }, failing, {}),
      reason('LOCAL_VOLUME_UNKNOWN_HOST'),
    );
  });
});
