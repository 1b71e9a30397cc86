/** True when `kernel` (`6.1.0-13-amd64`) is at least `wanted` (`4.8`). Text that is no version counts as old. */
export function kernelAtLeast(kernel: string, wanted: string): boolean {
  const [major, minor] = parse(kernel);
  const [wantedMajor, wantedMinor] = parse(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function parse(version: string): [major: number, minor: number] {
  const match = /^(\d+)\.(\d+)/.exec(version);
  return match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
}
