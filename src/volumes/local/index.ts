export { LocalVolumeDriver, type LocalVolumeDriverOptions } from './local-volume-driver.js';
export { type DirectorySize, type MeasureOptions, measureDirectory } from './measure-directory.js';
export { assertVolumeName } from './names.js';
export { checkOptions, type LocalVolumeOptions } from './options.js';
