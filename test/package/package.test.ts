import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PROJECT } from '#support/project.js';
import { tempDir } from '#support/roots.js';
import { run, runOk } from '#support/run.js';

const tool = (path: string) => join(PROJECT, 'node_modules', path);
const isRequireOfEsmAllowed =
  (process as { features?: { require_module?: boolean } }).features?.require_module === true;

describe('the package', () => {
  /** A directory as a user has it: node_modules/caisson is what npm pack would publish. */
  const dir = tempDir({ after }, 'pack');
  const user = join(dir, 'user');
  let tarball: string;

  before(async () => {
    // The suite has compiled already; npm's own scripts would do it again, and write to the log that we parse.
    const packed = await runOk('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', dir], {
      cwd: PROJECT,
    });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    tarball = join(dir, filename);
    await runOk('tar', ['-xzf', tarball, '-C', dir]);
    mkdirSync(join(user, 'node_modules'), { recursive: true });
    cpSync(join(dir, 'package'), join(user, 'node_modules/caisson'), { recursive: true });
    for (const name of readdirSync(join(PROJECT, 'node_modules'))) {
      if (name !== 'caisson' && !name.startsWith('.')) symlinkSync(tool(name), join(user, 'node_modules', name));
    }
    writeFileSync(join(user, 'package.json'), '{"name":"user","type":"module"}');
  });

  it('holds the library, its types and its papers, and nothing of the workshop', () => {
    const files = readdirSync(join(user, 'node_modules/caisson'), { recursive: true, encoding: 'utf8' });
    for (const name of [
      'lib/caisson.js',
      'lib/caisson.d.ts',
      'lib/testing.js',
      'lib/testing.d.ts',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
    ]) {
      assert.ok(files.includes(name), `${name} is not in the package`);
    }
    const stray = files.filter((name) =>
      /^(src|test|build|scripts|bench|docs|api|\.ci)(\/|$)|\.ts$|buildinfo/.test(name),
    );
    assert.deepEqual(
      stray.filter((name) => name !== 'lib/caisson.d.ts' && name !== 'lib/testing.d.ts'),
      [],
    );
  });

  it('is imported by a module', async () => {
    const code = "import * as caisson from 'caisson'; console.log(typeof caisson.EngineError)";
    assert.equal(
      (await runOk(process.execPath, ['--input-type=module', '-e', code], { cwd: user })).trim(),
      'function',
    );
  });

  it('is required by a CommonJS program', async (t) => {
    if (!isRequireOfEsmAllowed) {
      t.skip('missing: require of modules in this Node');
      return;
    }
    const code = "console.log(typeof require('caisson').EngineError)";
    assert.equal(
      (await runOk(process.execPath, ['--input-type=commonjs', '-e', code], { cwd: user })).trim(),
      'function',
    );
  });

  it('leaves a program that only imports it free to end', async () => {
    const code = "import 'caisson'; process.on('exit', () => console.log(process.getActiveResourcesInfo().join()))";
    const result = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: user, timeoutMs: 10_000 });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(!/Timeout|Signal|Process|Pipe|Server/.test(result.stdout), result.stdout);
  });

  it('offers the contract suites as a module that loads nothing of the library', async () => {
    const code = "import { volumeDriverContract } from 'caisson/testing'; console.log(typeof volumeDriverContract)";
    assert.equal(
      (await runOk(process.execPath, ['--input-type=module', '-e', code], { cwd: user })).trim(),
      'function',
    );
    const text = readFileSync(join(user, 'node_modules/caisson/lib/testing.js'), 'utf8');
    const imports = [...text.matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)].map((match) => match[1] as string);
    assert.ok(imports.length > 0);
    assert.deepEqual(
      imports.filter((name) => !name.startsWith('node:')),
      [],
    );
  });

  it('passes publint', async () => {
    const result = await run(process.execPath, [tool('publint/src/cli.js'), 'run', tarball, '--strict'], {
      cwd: PROJECT,
    });
    assert.equal(result.code, 0, result.stdout + result.stderr);
  });

  it('has types that are right for modules and CommonJS', async () => {
    const attw = tool('@arethetypeswrong/cli/dist/index.js');
    const result = await run(process.execPath, [attw, tarball, '--profile', 'esm-only', '--no-emoji'], {
      cwd: PROJECT,
    });
    assert.equal(result.code, 0, result.stdout + result.stderr);
  });

  it('compiles what its README and guide show', async () => {
    const blocks = ['README.md', 'docs/guide.md'].flatMap((name) =>
      [...readFileSync(join(PROJECT, name), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(
        (match) => match[1] as string,
      ),
    );
    assert.ok(blocks.length > 8);
    const files = blocks.map((block, n) => {
      const imports = block.match(/^import .*$/gm) ?? [];
      // What the guide says is there, where the block does not make it itself.
      const given = [
        ['engine', "import('caisson').Engine"],
        ['image', 'string'],
        ['service', "import('caisson').Container"],
      ].filter(([name]) => !new RegExp(`^ *(?:const|let|await using) ${name}\\b`, 'm').test(block));
      const params = given.map(([name, type]) => `${name}: ${type}`).join(', ');
      const body = block.replace(/^import .*$/gm, '');
      const file = `shown-${n}.ts`;
      writeFileSync(join(user, file), `${imports.join('\n')}\nexport async function shown(${params}) {\n${body}\n}\n`);
      return file;
    });
    const options = '--noEmit --strict --exactOptionalPropertyTypes --target es2022 --types node --module nodenext';
    const args = [...options.split(' '), '--lib', 'es2023,esnext.disposable', ...files];
    const result = await run(process.execPath, [tool('typescript/bin/tsc'), ...args], { cwd: user });
    assert.equal(result.code, 0, result.stdout);
  });

  it('has types that a strict program compiles against without skipping library checks', async () => {
    writeFileSync(
      join(user, 'main.ts'),
      "import { EngineError } from 'caisson';\nexport const isOurs: boolean = EngineError.is(new Error('x'), 'CONFLICT');\n",
    );
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      const options = [
        '--noEmit',
        '--strict',
        '--target',
        'es2022',
        '--types',
        'node',
        '--lib',
        'es2022,esnext.disposable',
      ];
      const args = [...options, '--module', module as string, '--moduleResolution', resolution as string, 'main.ts'];
      const result = await run(process.execPath, [tool('typescript/bin/tsc'), ...args], { cwd: user });
      assert.equal(result.code, 0, `${module}: ${result.stdout}`);
    }
  });
});

describe('the API', () => {
  for (const [report, config] of [
    ['caisson.api.md', 'api-extractor.json'],
    ['caisson-testing.api.md', 'scripts/lib/api-testing.json'],
  ] as const) {
    it(`is the one that api/${report} reports`, async () => {
      const args = [tool('@microsoft/api-extractor/bin/api-extractor'), 'run', '--config', config];
      const result = await run(process.execPath, args, { cwd: PROJECT, timeoutMs: 60_000 });
      assert.equal(result.code, 0, `run npm run api and look at what changed\n${result.stdout}${result.stderr}`);
    });
  }

  it('documents every member', () => {
    for (const name of ['caisson.api.md', 'caisson-testing.api.md']) {
      assert.doesNotMatch(readFileSync(join(PROJECT, 'api', name), 'utf8'), /\(undocumented\)/, name);
    }
  });

  it('shows no internal member', () => {
    for (const name of ['caisson.d.ts', 'testing.d.ts']) {
      assert.doesNotMatch(readFileSync(join(PROJECT, 'lib', name), 'utf8'), /@internal/, name);
    }
  });
});
