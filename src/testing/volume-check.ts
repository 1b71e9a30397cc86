import type { VolumeDriverContractOptions } from './volume-driver-contract.js';
import type { VolumeDriverKit } from './volume-driver-kit.js';

export interface VolumeCheckSubject {
  readonly kit: VolumeDriverKit;
  readonly options: VolumeDriverContractOptions;
}

/** A rule of volume drivers and how it is tried. */
export interface VolumeCheck {
  readonly name: string;
  /** Why it does not apply to a driver that was described so. */
  doesNotApply?(options: VolumeDriverContractOptions): string | undefined;
  run(subject: VolumeCheckSubject): Promise<void>;
}

export function needsData(options: VolumeDriverContractOptions): string | undefined {
  return options.keepsData === false ? 'the driver keeps no data' : undefined;
}
