import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PROJECT } from '#support/project.js';

const SKIPPED = new Set(['node_modules', 'dist', 'build', 'temp', '.git']);

function* textFiles(dir: string, prefix = ''): Generator<{ path: string; text: string }> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = `${prefix}${entry.name}`;
    if (SKIPPED.has(path)) continue;
    if (entry.isDirectory()) yield* textFiles(join(dir, entry.name), `${path}/`);
    else if (entry.isFile()) {
      const bytes = readFileSync(join(dir, entry.name));
      if (!bytes.subarray(0, 8000).includes(0)) yield { path, text: bytes.toString('utf8') };
    }
  }
}

describe('the repository', () => {
  it('names no place of one machine', () => {
    // Written in parts, so that this file does not name them.
    const places = [
      ['/wo', 'rk/'],
      ['/ho', 'me/[a-z]+/(?:src|code|projects)'],
      ['/Us', 'ers/'],
    ].map((parts) => parts.join(''));
    const pattern = new RegExp(`(?<![\\w.])(${places.join('|')})`);
    const found: string[] = [];
    for (const { path, text } of textFiles(PROJECT)) {
      text.split('\n').forEach((line, index) => {
        if (pattern.test(line)) found.push(`${path}:${index + 1}: ${line.trim().slice(0, 120)}`);
      });
    }
    assert.deepEqual(found, []);
  });

  it('has a lock file that names no registry', () => {
    const lock = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string }>;
    };
    assert.deepEqual(
      Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined),
      [],
    );
    assert.ok(!existsSync(join(PROJECT, '.npmrc')), '.npmrc does not belong in the repository');
  });

  it('pins every package to one version', () => {
    const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as Record<string, unknown>;
    for (const kind of ['dependencies', 'devDependencies']) {
      for (const [name, version] of Object.entries(manifest[kind] as Record<string, string>)) {
        assert.match(version, /^\d+\.\d+\.\d+$/, name);
      }
    }
  });
});
