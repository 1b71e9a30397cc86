import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseElf, readElf } from '#src/images/from-host/elf.js';
import { parseLdCache } from '#src/images/from-host/ld-cache.js';

/** Reads from bytes in memory. */
const from = (bytes: Buffer) => (offset: number, length: number) => bytes.subarray(offset, offset + length);

describe('readElf', () => {
  it('reads the running node', () => {
    const elf = readElf(process.execPath);
    assert.ok(elf !== undefined);
    assert.equal(elf.bits, 64);
    assert.match(elf.interpreter ?? '', /\/ld-/);
    assert.ok(elf.needed.some((name) => name.startsWith('libc.so')));
  });

  it('gives nothing for other files', () => {
    assert.equal(readElf('/etc/passwd'), undefined);
    assert.equal(parseElf(from(Buffer.alloc(0))), undefined);
    assert.equal(parseElf(from(Buffer.from('#!/bin/sh\n'))), undefined);
  });

  it('survives any cut and any damaged byte of the headers', () => {
    const whole = readFileSync(existsSync('/bin/true') ? '/bin/true' : process.execPath).subarray(0, 64 * 1024);
    for (let length = 0; length < 1024; length += 7) parseElf(from(whole.subarray(0, length)));
    for (let at = 4; at < 600; at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const copy = Buffer.from(whole);
        copy[at] = value;
        parseElf(from(copy));
      }
    }
  });
});

describe('parseLdCache', () => {
  it('reads entries and leaves out those for special processors', () => {
    const strings = Buffer.from('libx.so.1\0/opt/x/libx.so.1\0/opt/fast/libx.so.1\0');
    const header = Buffer.alloc(48);
    header.write('glibc-ld.so.cache1.1');
    header.writeUInt32LE(2, 20);
    const start = 48 + 2 * 24;
    const entry = (value: number, hwcap: number) => {
      const bytes = Buffer.alloc(24);
      bytes.writeUInt32LE(start, 4);
      bytes.writeUInt32LE(start + value, 8);
      bytes.writeBigUInt64LE(BigInt(hwcap), 16);
      return bytes;
    };
    const cache = Buffer.concat([header, entry(27, 2), entry(10, 0), strings]);
    assert.deepEqual([...parseLdCache(cache)], [['libx.so.1', ['/opt/x/libx.so.1']]]);
    assert.deepEqual(
      [...parseLdCache(Buffer.concat([Buffer.from('ld.so-1.7.0\0'), cache]))],
      [['libx.so.1', ['/opt/x/libx.so.1']]],
    );
    for (let length = 0; length < cache.length; length++) parseLdCache(cache.subarray(0, length));
  });
});
