import type { FileSet } from './file-set.js';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n';
const GROUP = 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n';
const NSSWITCH = 'passwd: files\ngroup: files\nhosts: files dns\n';

/** What programs expect of any root file system; what the caller put there stays. */
export function addBaseFiles(files: FileSet): void {
  const text = (path: string, content: string) => files.putMissing(path, { kind: 'text', mode: 0o644, text: content });
  const directory = (path: string, mode: number) => files.putMissing(path, { kind: 'directory', mode });
  text('/etc/passwd', PASSWD);
  text('/etc/group', GROUP);
  text('/etc/nsswitch.conf', NSSWITCH);
  directory('/tmp', 0o1777);
  directory('/var', 0o755);
  directory('/var/tmp', 0o1777);
  directory('/root', 0o700);
  // Mount points of every container: without them a read-only root could not start.
  for (const path of ['/dev', '/proc', '/sys', '/run']) directory(path, 0o755);
}
