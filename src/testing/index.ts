export type { CallOptions } from '../util/signals.js';
export type { DriverVolume, VolumeDriver, VolumeScope } from '../volumes/volume-driver.js';
export { type ContractCheck, registerChecks, type TestFramework, type TestFunction } from './contract-check.js';
export { type VolumeDriverContractOptions, volumeDriverContract } from './volume-driver-contract.js';
