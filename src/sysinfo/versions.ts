import { createRequire } from 'node:module';

interface SemVer {
  readonly version: string;
}

const require = createRequire(import.meta.url);

/**
 * The version in what a program prints for --version, as semver: `runc version 1.1.5+ds1` gives `1.1.5`,
 * `Version:  1.6.20~ds1` gives `1.6.20`, `runc version 1.0.0-rc93` keeps its pre-release. `undefined` when there is none.
 */
export function parseVersion(output: string): string | undefined {
  const word = /\d+\.\d+(?:\.\d+)?(?:-(?:rc|alpha|beta)[.\d]*)?/.exec(output)?.[0];
  if (word === undefined) return undefined;
  const parse = require('semver/functions/parse.js') as (text: string, loose: boolean) => SemVer | null;
  const coerce = require('semver/functions/coerce.js') as (text: string) => SemVer | null;
  return (parse(word, true) ?? coerce(word))?.version;
}

/** True when `version` (semver, or what --version printed) is `minimum` or later. An unreadable version is not. */
export function versionGate(version: string, minimum: string): boolean {
  const parsed = parseVersion(version);
  if (parsed === undefined) return false;
  const gte = require('semver/functions/gte.js') as (a: string, b: string) => boolean;
  return gte(parsed, minimum);
}
