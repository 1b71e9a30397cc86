import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, it } from 'node:test';
import { importsOf, PROJECT, readSources } from '#support/project.js';

const sources = readSources();
const rules = JSON.parse(readFileSync(join(PROJECT, 'src/DEPS.json'), 'utf8')) as Record<string, string[]>;
const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

/** Packages that are built into the published module: users need not install them. */
const BUNDLED = new Set(['valibot']);

/** Packages that one folder (or file) owns; `lazy` ones may not be loaded with the library. */
const OWNERS: Record<string, { readonly owner: string; readonly lazy: boolean }> = {
  execa: { owner: 'os/', lazy: true },
  'fs-extra': { owner: 'os/', lazy: true },
  koffi: { owner: 'os/syscalls/', lazy: false },
  'proper-lockfile': { owner: 'state/', lazy: true },
  semver: { owner: 'sysinfo/', lazy: true },
  debug: { owner: 'util/log.ts', lazy: true },
};

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  const allowed = rules[from];
  if (from === to || allowed === undefined) return from === to;
  return allowed.includes('*') || allowed.includes(to) || (typeOnly && allowed.includes(`${to}:t`));
}

describe('layers', () => {
  it('has a rule for each folder', () => {
    const folders = new Set(sources.map((source) => source.folder));
    assert.deepEqual(
      [...folders].filter((folder) => rules[folder] === undefined),
      [],
    );
  });

  it('allows no edge that src/DEPS.json does not list', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      for (const edge of importsOf(source.code)) {
        if (!edge.specifier.startsWith('.')) continue;
        const target = posix.join(posix.dirname(source.path), edge.specifier);
        const folder = target.split('/')[0] === 'index.js' ? 'index.ts' : (target.split('/')[0] ?? '');
        if (target.startsWith('..') || !mayImport(source.folder, folder, edge.typeOnly)) {
          wrong.push(`${source.path} imports ${edge.specifier}${edge.typeOnly ? ' (types)' : ''}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('has no table that lists a circle of folders', () => {
    const edges = new Map(
      Object.entries(rules).map(([folder, uses]) => [folder, uses.filter((use) => use !== '*' && !use.endsWith(':t'))]),
    );
    assert.equal(findCircle(edges), undefined);
  });

  it('has no circle of files', () => {
    const edges = new Map<string, string[]>();
    for (const source of sources) {
      const targets = importsOf(source.code)
        .filter((edge) => edge.specifier.startsWith('.') && !edge.typeOnly)
        .map((edge) => posix.join(posix.dirname(source.path), edge.specifier).replace(/\.js$/, '.ts'));
      edges.set(source.path, targets);
    }
    assert.equal(findCircle(edges), undefined);
  });

  it('imports packages only where they belong', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      for (const edge of importsOf(source.code)) {
        if (/^(\.|node:|#)/.test(edge.specifier)) {
          if (edge.specifier.startsWith('#')) wrong.push(`${source.path}: # imports are for tests`);
          continue;
        }
        const name = /^(@[^/]+\/)?[^/]+/.exec(edge.specifier)?.[0] ?? '';
        const rule = OWNERS[name];
        if (!Object.hasOwn(manifest.dependencies, name) && !BUNDLED.has(name)) {
          wrong.push(`${source.path}: ${name} is no dependency`);
        } else if (edge.typeOnly) continue;
        else if (rule !== undefined && !source.path.startsWith(rule.owner)) {
          wrong.push(`${source.path}: ${name} belongs to ${rule.owner}`);
        } else if (rule?.lazy === true && !edge.lazy) {
          wrong.push(`${source.path}: ${name} must be imported inside a function`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('uses each dependency', () => {
    const used = new Set(
      sources.flatMap((source) => importsOf(source.code).map((edge) => edge.specifier.split('/')[0])),
    );
    assert.deepEqual(
      Object.keys(manifest.dependencies).filter((name) => !used.has(name)),
      [],
    );
  });
});

describe('the reader of imports', () => {
  it('tells types, values and lazy imports apart', () => {
    const code = [
      "import { a } from './a.js';",
      "import type { B } from './b.js';",
      "import { type C,\n  type D } from './cd.js';",
      "import e, { type F } from './ef.js';",
      "import './g.js';",
      "export * from './h.js';",
      "export type { I } from './i.js';",
      "const j = await import('./j.js');",
      "let k: typeof import('./k.js');",
      "export const name = 'import { x } from y';",
    ].join('\n');
    const flags = (edge: { typeOnly: boolean; lazy: boolean }) => (edge.typeOnly ? 't' : 'v') + (edge.lazy ? 'l' : '');
    assert.deepEqual(
      importsOf(code).map((edge) => `${edge.specifier} ${flags(edge)}`),
      ['./a.js v', './b.js t', './cd.js t', './ef.js v', './g.js v', './h.js v', './i.js t', './j.js vl', './k.js tl'],
    );
  });

  it('finds a circle', () => {
    const edges = new Map([
      ['a', ['b', 'c']],
      ['b', []],
      ['c', ['d']],
      ['d', ['a']],
    ]);
    assert.equal(findCircle(edges), 'a -> c -> d -> a');
    edges.set('d', []);
    assert.equal(findCircle(edges), undefined);
  });
});

function findCircle(edges: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string | undefined => {
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node].join(' -> ');
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next);
      if (circle !== undefined) return circle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const circle = visit(node);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
