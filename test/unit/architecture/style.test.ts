import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readSources, type SourceFile } from '#support/project.js';

const sources = readSources();

/** What no source file may have. A line that must is marked on it or right above: `// allow <rule>: <reason>`. */
const FORBIDDEN: Record<string, RegExp> = {
  'process-exit': /\bprocess\s*\.\s*(exit|abort|reallyExit)\s*\(/,
  'process-listener': /\bprocess\s*\.\s*(on|once|addListener|prependListener)\s*\(/,
  'default-export': /^\s*export\s+default\b|\bas\s+default\b/,
  enum: /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s/,
  namespace: /^\s*(export\s+)?(declare\s+)?namespace\s/,
  'bare-error': /\bthrow\s+new\s+(Type|Range|Syntax|Aggregate)?Error\s*\(/,
  console: /\bconsole\s*\./,
  'node-spawn': /['"]node:child_process['"]/,
  'private-keyword': /^\s*(private|protected)\s+(?!constructor\b)/,
  'loose-name': /\bclass\s+\w*(Helper|Utils?|Base|Impl)\b|\bclass\s+(?!PluginManager\b)\w*Manager\b/,
};

describe('style', () => {
  for (const [rule, pattern] of Object.entries(FORBIDDEN)) {
    it(`has no ${rule}`, () => {
      const found: string[] = [];
      for (const source of sources) {
        source.code.split('\n').forEach((line, index) => {
          if (pattern.test(line) && !isAllowed(source, index, rule))
            found.push(`${source.path}:${index + 1}: ${line.trim()}`);
        });
      }
      assert.deepEqual(found, []);
    });
  }

  it('unrefs every timer', () => {
    const found: string[] = [];
    for (const source of sources) {
      const lines = source.code.split('\n');
      lines.forEach((line, index) => {
        if (!/(?<![.\w])set(Timeout|Interval)\(/.test(line) || isAllowed(source, index, 'timer')) return;
        const after = lines.slice(index, index + 15).join('\n');
        if (!/\.unref\(/.test(after)) found.push(`${source.path}:${index + 1}: ${line.trim()}`);
      });
    }
    assert.deepEqual(found, []);
  });

  it('has small files', (t) => {
    const lengths = sources.map((source) => source.text.trimEnd().split('\n').length).sort((a, b) => a - b);
    const at = (share: number) => lengths[Math.floor((lengths.length - 1) * share)] ?? 0;
    (t as TestContext).diagnostic(
      `${lengths.length} files, lines: median ${at(0.5)}, 90% ${at(0.9)}, longest ${lengths.at(-1)}`,
    );
    assert.deepEqual(
      sources.filter((source) => source.text.trimEnd().split('\n').length > 400).map((source) => source.path),
      [],
    );
    assert.ok(at(0.5) <= 90, `the median file has ${at(0.5)} lines, and 90 are allowed`);
    assert.ok(at(0.9) <= 200, `a tenth of the files has more than 200 lines (${at(0.9)} at 90%)`);
  });

  it('names files in kebab-case', () => {
    const wrong = sources.filter((source) => !source.path.split('/').every((part) => /^[a-z0-9-]+(\.ts)?$/.test(part)));
    assert.deepEqual(
      wrong.map((source) => source.path),
      [],
    );
    const loose = sources.filter((source) => /^(helpers?|utils?|misc|common|impl)\.ts$/.test(basename(source.path)));
    assert.deepEqual(
      loose.map((source) => source.path),
      [],
    );
  });
});

function isAllowed(source: SourceFile, index: number, rule: string): boolean {
  const lines = source.text.split('\n');
  const comment = new RegExp(`//.*\\ballow ${rule}: \\S`);
  return [lines[index], lines[index - 1]].some((line) => line !== undefined && comment.test(line));
}
