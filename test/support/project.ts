import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory of the project: the nearest one above this file with a package.json. */
export const PROJECT = findProject(import.meta.dirname);

function findProject(dir: string): string {
  return existsSync(join(dir, 'package.json')) ? dir : findProject(dirname(dir));
}

export interface SourceFile {
  /** Relative to src, with slashes: `os/spawn.ts`. */
  readonly path: string;
  /** First part of the path: what src/DEPS.json has rules for. */
  readonly folder: string;
  readonly text: string;
  /** The text with comments blanked out; line numbers stay. */
  readonly code: string;
}

/** All TypeScript files of src. */
export function readSources(): SourceFile[] {
  const src = join(PROJECT, 'src');
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(src, path), 'utf8');
      return { path, folder: path.split('/')[0] ?? path, text, code: withoutComments(text) };
    });
}

export interface ImportEdge {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** `import()` or `require()`: costs nothing when the library is loaded. */
  readonly lazy: boolean;
}

/** What a module imports or re-exports. */
export function importsOf(code: string): ImportEdge[] {
  const edges: ImportEdge[] = [];
  const statement = /^\s*(import|export)\s+(type\s+)?([^;'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  for (const [, keyword, type, clause, specifier = ''] of code.matchAll(statement)) {
    if (clause === undefined && keyword === 'export') continue;
    edges.push({ specifier, typeOnly: type !== undefined || allTypes(clause), lazy: false });
  }
  for (const [, typeOf, specifier = ''] of code.matchAll(
    /(typeof\s+)?\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*[),]/g,
  )) {
    edges.push({ specifier, typeOnly: typeOf !== undefined, lazy: true });
  }
  return edges;
}

/** True for `{ type A, type B } from`. */
function allTypes(clause: string | undefined): boolean {
  const names = /^\{([^}]*)\}\s*from\s+$/.exec(clause?.trimStart() ?? '')?.[1];
  if (names === undefined) return false;
  const items = names.split(',').flatMap((name) => name.trim() || []);
  return items.length > 0 && items.every((name) => name.startsWith('type '));
}

/** Blanks comments, not strings, templates or regular expressions that look like them. */
function withoutComments(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;
  return text.replace(token, (match) =>
    match.startsWith('/*') || match.startsWith('//') ? match.replace(/[^\n]/g, ' ') : match,
  );
}
