import type { VolumeDriver } from '../volumes/volume-driver.js';
import type { ContractCheck } from './contract-check.js';
import type { VolumeCheck, VolumeCheckSubject } from './volume-check.js';
import { VOLUME_CHECKS } from './volume-checks.js';
import { CONCURRENCY_CHECKS } from './volume-concurrency-checks.js';
import { VolumeDriverKit } from './volume-driver-kit.js';
import { MOUNT_CHECKS } from './volume-mount-checks.js';

/** What the checks need to know of a driver. @public */
export interface VolumeDriverContractOptions {
  /** Given to each create. @defaultValue none */
  readonly createOptions?: Readonly<Record<string, string>>;
  /** Files are still there when a volume that nobody had mounted is mounted again. @defaultValue true */
  readonly keepsData?: boolean;
  /** A call whose signal is aborted rejects soon, instead of being left to itself. @defaultValue false */
  readonly honorsSignals?: boolean;
  /**
   * Opens the driver again as another process would, over the same volumes. Given: volumes and their content must be
   * there. @defaultValue not checked
   */
  readonly reopen?: () => VolumeDriver | Promise<VolumeDriver>;
  /** Checks that don't apply, by name, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Longest that one call may take, milliseconds. @defaultValue 30000 */
  readonly limitMs?: number;
}

/**
 * The rules of `VolumeDriver` as checks that a driver must pass to be used for volumes. `makeDriver` is called for each
 * check; it may give the same driver again, and what is removed at the end is only what the check made. A driver with
 * `Symbol.asyncDispose` or `Symbol.dispose` is disposed after its check.
 *
 * Throws TypeError when `skip` names a check that does not exist.
 *
 * @public
 */
export function volumeDriverContract(
  makeDriver: () => VolumeDriver | Promise<VolumeDriver>,
  options: VolumeDriverContractOptions = {},
): readonly ContractCheck[] {
  const checks = [...VOLUME_CHECKS, ...MOUNT_CHECKS, ...CONCURRENCY_CHECKS];
  const skipped = options.skip ?? {};
  for (const name of Object.keys(skipped)) {
    // allow bare-error: this entry point stands alone
    if (!checks.some((check) => check.name === name)) throw new TypeError(`there is no check ${JSON.stringify(name)}`);
  }
  return checks.map((check) => {
    const skip = Object.hasOwn(skipped, check.name) ? skipped[check.name] : check.doesNotApply?.(options);
    return { name: check.name, ...(skip !== undefined && { skip }), run: () => run(check, makeDriver, options) };
  });
}

async function run(
  check: VolumeCheck,
  makeDriver: () => VolumeDriver | Promise<VolumeDriver>,
  options: VolumeDriverContractOptions,
): Promise<void> {
  const driver = await makeDriver();
  const kit = new VolumeDriverKit(driver, {
    limitMs: options.limitMs ?? 30_000,
    options: options.createOptions ?? {},
  });
  const subject: VolumeCheckSubject = { kit, options };
  try {
    try {
      await check.run(subject);
    } catch (error) {
      await kit.cleanUp().catch(() => {});
      throw error;
    }
    await kit.cleanUp();
  } finally {
    await dispose(driver);
  }
}

async function dispose(driver: VolumeDriver): Promise<void> {
  const disposable = driver as Partial<AsyncDisposable & Disposable>;
  await disposable[Symbol.asyncDispose]?.();
  if (disposable[Symbol.asyncDispose] === undefined) disposable[Symbol.dispose]?.();
}
