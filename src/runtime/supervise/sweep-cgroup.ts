import { readFileSync } from 'node:fs';
import { killCgroup, readCgroupLayout, removeCgroup } from '../../os/cgroups.js';
import { type CallOptions, sleep } from '../../util/signals.js';

const TRIES = 20;

/**
 * Ends and removes the cgroup that the bundle's config.json names. A runtime that was killed while it created the
 * container has made the cgroup but not yet written down that there is a container: its own delete knows of nothing.
 */
export async function sweepCgroup(bundle: string, call: CallOptions = {}): Promise<void> {
  const path = cgroupsPath(bundle);
  if (path === undefined) return;
  const layout = readCgroupLayout();
  for (let tries = 0; tries < TRIES; tries++) {
    killCgroup(layout, path);
    if (removeCgroup(layout, path)) return;
    await sleep(10 * (tries + 1), { ...call, keepAlive: true });
  }
}

/** An absolute path below the root of the hierarchies; a systemd slice notation is not one. */
function cgroupsPath(bundle: string): string | undefined {
  try {
    const spec = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as { linux?: { cgroupsPath?: unknown } };
    const path = spec.linux?.cgroupsPath;
    if (typeof path !== 'string' || !/^(?:\/[^/]+)+$/.test(path)) return undefined;
    return path.split('/').some((part) => part === '.' || part === '..') ? undefined : path;
  } catch {
    return undefined;
  }
}
