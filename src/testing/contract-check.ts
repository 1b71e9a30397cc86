/** One rule, tried on a driver. @public */
export interface ContractCheck {
  /** What must hold, a clause such as `get of an unknown volume gives undefined`. */
  readonly name: string;
  /** Why it does not apply to this driver; then `run` is not to be called. */
  readonly skip?: string;
  /** Tries it; rejects with an AssertionError that says what the driver did instead. */
  run(): Promise<void>;
}

/** Functions of a test framework: node:test, Mocha, Jest, Vitest… @public */
export interface TestFramework {
  /** Adds one test. */
  readonly it?: TestFunction;
  /** The same by another name. */
  readonly test?: TestFunction;
  /** Groups tests; without it the group's name is put before each test's. */
  readonly describe?: (name: string, body: () => void) => unknown;
}

/** Adds a test; `skip` of it, where there is one, adds a test that is not run. @public */
export interface TestFunction {
  /** Adds it. */
  (name: string, body: () => Promise<void>): unknown;
  /** Adds it as one that is not run. */
  skip?: (name: string, body: () => Promise<void>) => unknown;
}

/**
 * Adds each check as a test of its own. Checks that don't apply are added as skipped tests, with the reason in the name.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test';
 * import { registerChecks, volumeDriverContract } from 'caisson/testing';
 *
 * registerChecks('my driver', volumeDriverContract(() => new MyDriver()), { describe, it });
 * ```
 *
 * @public
 */
export function registerChecks(title: string, checks: readonly ContractCheck[], framework: TestFramework): void {
  const add = framework.it ?? framework.test;
  // allow bare-error: this entry point stands alone, without the library
  if (add === undefined) throw new TypeError('the framework has neither `it` nor `test`');
  const prefix = framework.describe === undefined ? `${title}: ` : '';
  const addAll = () => {
    for (const check of checks) {
      if (check.skip === undefined) add(`${prefix}${check.name}`, () => check.run());
      else add.skip?.(`${prefix}${check.name} (${check.skip})`, async () => {});
    }
  };
  if (framework.describe === undefined) addAll();
  else framework.describe(title, addAll);
}
