/** The time that goes into a made image: SOURCE_DATE_EPOCH (seconds) where the environment has it, else `fallback`. */
export function buildTime(fallback: Date): string {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const date = epoch !== undefined && /^\d{1,12}$/.test(epoch) ? new Date(Number(epoch) * 1000) : fallback;
  return date.toISOString();
}
