import { checkBoolean } from './check.js';
import { checkRecord, recordChecks } from './check-record.js';
import { badField } from './fail.js';
import { CONTAINER_CHECKS } from './validate-options.js';

const { env, workingDir, user, tty, consoleSize, privileged } = CONTAINER_CHECKS;
const FIELDS = recordChecks({ env, workingDir, user, tty, consoleSize, privileged, stdin: checkBoolean });

/** Checks what a caller changes for an exec, field by field as `validateContainerOptions` does. Throws as that. */
export function validateExecOptions(options: unknown): void {
  const checked = checkRecord(FIELDS, options, '');
  if (checked['consoleSize'] !== undefined && checked['tty'] !== true) {
    throw badField('BAD_OPTION', 'consoleSize', checked['consoleSize'], 'needs tty');
  }
}
