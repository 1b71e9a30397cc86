import { type EngineError, engineError, quote, type Reason } from '../../errors/index.js';

/** What is known of a failed runtime call besides the message. */
export interface FailedCall {
  readonly argv: readonly string[];
  readonly exitCode: number | null;
  readonly stderr: string;
}

/*
 * Wordings of runc 1.1 to 1.3 and crun 1.8 to 1.2x, collected by making each failure happen. They are anchored to the
 * step that failed: a missing mount source is "no such file or directory" too, and is no missing command.
 */
const NOT_FOUND = [
  /exec: ".*": executable file not found in \$PATH/s,
  /exec: ".*": (?:l?stat|open) .*: (?:no such file or directory|not a directory)/is,
  /^executable file [`'].*[`'] not found/is,
  /^open executable: (?:No such file or directory|Not a directory)/i,
  /^exec: No such file or directory$/i,
  /exec(?:ute)? container process (?:\(missing dynamic library\?\) )?[`'].*[`']: No such file or directory/is,
  /^exec \/.*: no such file or directory$/is,
];
const NOT_EXECUTABLE = [
  /exec: ".*": (?:permission denied|is a directory)/is,
  /exec: ".*": (?:l?stat|open) .*: permission denied/is,
  /^open executable: (?:Permission denied|Operation not permitted|Is a directory)/i,
  /^(?:the )?path [`'].*[`'] is not (?:a regular file|executable)/is,
  /^exec: (?:Exec format error|Permission denied|Is a directory)$/i,
  /exec(?:ute)? container process (?:\(missing dynamic library\?\) )?[`'].*[`']: (?:Exec format error|Permission denied)/is,
  /exec \/.*: (?:exec format error|permission denied)$/is,
];
const BAD_CWD = [
  /chdir to cwd \(".*"\) set in config\.json failed/s,
  /^chdir [`'].*[`']: (?:Not a directory|No such file or directory|Permission denied)/is,
  /container init: mkdir \/.*: not a directory$/is,
  /Cwd must be an absolute path/,
];

/** The reason that the runtime's message stands for. */
export function classifyMessage(message: string): Reason {
  if (NOT_FOUND.some((shape) => shape.test(message))) return 'COMMAND_NOT_FOUND';
  if (NOT_EXECUTABLE.some((shape) => shape.test(message))) return 'COMMAND_NOT_EXECUTABLE';
  if (BAD_CWD.some((shape) => shape.test(message))) return 'BAD_WORKING_DIR';
  return 'RUNTIME_FAILED';
}

/** The typed error of a runtime's message. */
export function runtimeError(message: string, failed?: FailedCall): EngineError {
  const details = {
    message,
    ...(failed === undefined
      ? {}
      : { argv: failed.argv, exitCode: failed.exitCode, stderr: failed.stderr.slice(-2000) }),
  };
  return engineError(classifyMessage(message), `the runtime says ${quote(message, 1000)}`, { details });
}

/** True when the message says that the runtime does not know the container. */
export function saysUnknownContainer(message: string): boolean {
  return /container does not exist|container .* does not exist|\/status`?: No such file or directory|cannot open directory .*: No such file/i.test(
    message,
  );
}

/** True when the message says that the container's process has ended. */
export function saysNotRunning(message: string): boolean {
  return /container not running|container .* is not running|process (?:already finished|not found)|No such process|container is stopped/i.test(
    message,
  );
}
