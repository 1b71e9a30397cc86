import type { ResolvedConfig } from '../config/index.js';
import { bad, type DoctorFinding, good } from './doctor-types.js';
import type { HostFacts } from './host-facts.js';
import { type DirectoryFacts, probeDirectory } from './probe-directory.js';

const GIB = 2 ** 30;
const NETWORK_FILE_SYSTEMS = ['nfs', 'cifs', 'smb2', '9p', 'fuse'];

/** How root, temp dir and run dir stand: owner, file system, locks, attributes, a real overlay mount, free space. */
export function directoryFindings(
  facts: Pick<HostFacts, 'isRoot' | 'overlay'>,
  config: Pick<ResolvedConfig, 'root' | 'runDir' | 'snapshotter'>,
): DoctorFinding[] {
  const root = probeDirectory(config.root, { overlay: facts.isRoot && facts.overlay && config.snapshotter !== 'vfs' });
  const run = probeDirectory(config.runDir);
  return [
    accessFinding('root-dir', `root directory ${config.root}`, root),
    accessFinding('run-dir', `run directory ${config.runDir}`, run),
    lockFinding(config.root, root),
    overlayFinding(config, root),
    spaceFinding(config.root, root),
    runTmpfsFinding(config.runDir, run),
  ];
}

function accessFinding(id: string, what: string, probe: DirectoryFacts): DoctorFinding {
  const found = probe.exists ? `${probe.fileSystem}, mode ${probe.mode.toString(8)}, uid ${probe.uid}` : 'not made yet';
  if (probe.write !== undefined) {
    return bad('error', id, what, `${probe.probed} can't be written (${probe.write})`, 'choose a writable directory');
  }
  if (probe.exists && probe.uid !== process.geteuid?.()) {
    return bad('error', id, what, found, 'choose a directory that this user owns');
  }
  if (probe.exists && (probe.mode & 0o022) !== 0) {
    return bad('error', id, what, `${found}: others may write in it`, 'choose a directory of the engine’s own');
  }
  return good(id, what, found);
}

function lockFinding(path: string, probe: DirectoryFacts): DoctorFinding {
  const what = `locks between processes in ${path}`;
  if (probe.flock !== undefined) {
    return bad('error', 'locks', what, `${probe.fileSystem}: ${probe.flock}`, 'put the root on a local file system');
  }
  if (NETWORK_FILE_SYSTEMS.includes(probe.fileSystem)) {
    return bad(
      'warning',
      'locks',
      what,
      `${probe.fileSystem}: locks may not reach other machines`,
      'put the root on a local file system',
    );
  }
  return good('locks', what, `flock works on ${probe.fileSystem}`);
}

function overlayFinding(config: Pick<ResolvedConfig, 'root' | 'snapshotter'>, probe: DirectoryFacts): DoctorFinding {
  const what = `overlay on the file system of ${config.root}`;
  if (config.snapshotter === 'vfs') return good('overlay-root', what, 'not used (vfs)');
  const problem = probe.trustedXattr ?? probe.overlay;
  if (problem === undefined)
    return good('overlay-root', what, `mounts and trusted attributes work on ${probe.fileSystem}`);
  const level = config.snapshotter === 'overlay' ? 'error' : 'warning';
  const cause = probe.trustedXattr === undefined ? 'overlay mount' : 'trusted attributes';
  const remedy = 'put the root on ext4, xfs (ftype=1) or btrfs, or set snapshotter to vfs';
  return bad(level, 'overlay-root', what, `${probe.fileSystem}: ${cause}: ${problem}`, remedy);
}

function spaceFinding(path: string, probe: DirectoryFacts): DoctorFinding {
  const what = `free space for ${path}`;
  const found = `${(probe.freeBytes / GIB).toFixed(1)} GiB, ${probe.freeInodes} inodes`;
  if (probe.fileSystem === 'tmpfs') {
    return bad('warning', 'space', what, `${found} in memory (tmpfs), lost at reboot`, 'put the root on a disk');
  }
  if (probe.freeBytes < GIB || probe.freeInodes < 20_000)
    return bad('warning', 'space', what, found, 'free some space');
  return good('space', what, found);
}

function runTmpfsFinding(path: string, probe: DirectoryFacts): DoctorFinding {
  const what = `file system of ${path}`;
  if (probe.fileSystem === 'tmpfs') return good('run-tmpfs', what, 'tmpfs');
  // Correct all the same: run-time records carry the boot id.
  return bad('warning', 'run-tmpfs', what, probe.fileSystem, 'a tmpfs is faster and is empty after a reboot');
}
