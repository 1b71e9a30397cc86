// Makes this machine ready: npm packages from the lock file, missing programs through apt. Needs nothing but Node.
// `node scripts/setup.mjs [quickstart|tests]`; quick when nothing is missing.
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, getuid } from 'node:process';
import { fileURLToPath } from 'node:url';
import { missingBinaries, which } from './lib/binaries.mjs';
import { main, PROJECT, runQuiet, Stop, tail } from './lib/run.mjs';

const NPM_LIMIT_MS = 8 * 60_000;
const APT_LIMIT_MS = 10 * 60_000;

/** Returns the table rows that are still missing (only optional ones; a required one stops with a sentence). */
export function setup(need) {
  checkNode();
  installNodeModules();
  return installBinaries(need);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Stop(`caisson needs Node 20.19 or newer, and this is ${process.version}.`);
  }
  if (process.platform !== 'linux') throw new Stop(`caisson runs on Linux, and this is ${process.platform}.`);
}

/** True when node_modules holds what the lock file says. Content is compared: a checkout changes every file time. */
function modulesAreCurrent() {
  const read = (path) => JSON.parse(readFileSync(join(PROJECT, path), 'utf8')).packages;
  try {
    const have = read('node_modules/.package-lock.json');
    return Object.entries(read('package-lock.json')).every(
      ([path, wanted]) =>
        path === '' || (have[path] === undefined ? wanted.optional === true : have[path].version === wanted.version),
    );
  } catch {
    return false;
  }
}

function installNodeModules() {
  if (modulesAreCurrent()) return;
  const modules = join(PROJECT, 'node_modules');
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    throw new Stop('node_modules is a link and does not match package-lock.json: run npm ci where it leads.');
  }
  console.log('Installing npm packages…');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--fetch-timeout=60000', '--fetch-retries=2'];
  const result =
    npm?.endsWith('.js') === true
      ? runQuiet(process.execPath, [npm, ...args], { timeoutMs: NPM_LIMIT_MS })
      : runQuiet('npm', args, { timeoutMs: NPM_LIMIT_MS });
  if (!result.ok) {
    const why = result.timedOut ? 'took too long' : 'failed';
    throw new Stop(
      `npm ci ${why}: check that this machine reaches an npm registry, then run again.\n${tail(result.output)}`,
    );
  }
}

function installBinaries(need) {
  let missing = missingBinaries(need);
  if (missing.length === 0) return [];
  const names = (rows) => rows.map((row) => row.name).join(', ');
  const packages = (rows) => [...new Set(rows.map((row) => row.apt))];
  let why;
  if (getuid() !== 0) {
    why = `run this as root once, or: sudo apt-get install -y --no-install-recommends ${packages(missing).join(' ')}`;
  } else if (which('apt-get') === undefined) {
    why = 'this machine has no apt-get: install them with its own package manager';
  } else {
    console.log(`Installing with apt: ${packages(missing).join(' ')}…`);
    const output = aptInstall(packages(missing));
    missing = missingBinaries(need);
    if (missing.length === 0) return [];
    why = `apt could not install them; it said:\n${tail(output)}`;
  }
  const required = missing.filter((row) => !row.optional);
  if (required.length > 0 && getuid() === 0) throw new Stop(`Missing: ${names(required)}; ${why}`);
  console.log(`Going on without ${names(missing)}: ${why}`);
  return missing;
}

/** Installs what can be had: all at once, after a list update if that fails, then one by one. Returns apt's words. */
function aptInstall(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const limits = ['-o', 'Acquire::http::Timeout=30', '-o', 'Acquire::https::Timeout=30', '-o', 'Acquire::Retries=1'];
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const endsAt = Date.now() + APT_LIMIT_MS;
  const apt = (...args) =>
    runQuiet('apt-get', [...limits, ...wait, ...args], { env, timeoutMs: Math.max(endsAt - Date.now(), 1_000) });
  const install = (...names) => apt('install', '-y', '-q', '--no-install-recommends', ...names);

  const first = install(...packages);
  if (first.ok) return first.output;
  const update = apt('update', '-q');
  const second = install(...packages);
  if (second.ok) return second.output;
  let words = update.output + second.output;
  if (packages.length > 1) {
    for (const name of packages) {
      if (Date.now() >= endsAt) return `${words}\nthe time limit for apt passed`;
      const result = install(name);
      if (!result.ok) words = result.output;
    }
  }
  return words;
}

if (argv[1] === fileURLToPath(import.meta.url)) await main(() => void setup(argv[2] ?? 'quickstart'));
