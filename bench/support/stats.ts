/** Middle value; NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between the closest ranks. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = q * (sorted.length - 1);
  const low = sorted[Math.floor(rank)] as number;
  const high = sorted[Math.ceil(rank)] as number;
  return low + (high - low) * (rank - Math.floor(rank));
}

/** Median of the ratios of values that were taken side by side: what drifts during a run falls out. */
export function pairedRatio(values: readonly number[], baseline: readonly number[]): number {
  return median(values.map((value, n) => value / (baseline[n] as number)).filter(Number.isFinite));
}
