import type { SuperviseRequest } from '../../supervisor.js';
import type { ConmonFiles } from './files.js';

/** conmon's command line for a new container. `logPath` must hold no colon: conmon cuts there. */
export function conmonArgs(request: SuperviseRequest, files: ConmonFiles, logPath: string): string[] {
  const { runtime } = request;
  const args = ['--api-version', '-c', request.id, '-u', request.id, '-n', request.name];
  args.push('-r', runtime.binary.path, '-b', request.bundle, '-p', files.initPid, '-P', files.conmonPid);
  args.push('--exit-dir', request.exitDir, '--persist-dir', files.dir, '--full-attach', '-l', `k8s-file:${logPath}`);
  if (request.stdin) args.push('-i');
  if (request.terminal) args.push('-t');
  for (const arg of runtime.globalArgs(files.runtimeLog)) args.push('--runtime-arg', arg);
  const [exitCommand, ...exitArgs] = request.exitCommand ?? [];
  if (exitCommand !== undefined) {
    args.push('--exit-command', exitCommand);
    for (const arg of exitArgs) args.push('--exit-command-arg', arg);
  }
  return args;
}
