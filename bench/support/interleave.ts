import { setTimeout as sleep } from 'node:timers/promises';

/** One thing to measure. */
export interface BenchCase {
  readonly name: string;
  /** Does it once and returns what it took, in any unit; what is only preparation stays outside of the number. */
  measure(): Promise<number>;
}

export interface InterleaveOptions {
  readonly rounds: number;
  /** Rounds before those that count. @defaultValue 2 */
  readonly warmup?: number;
  /** Pause between two measurements: back to back they heat each other's caches. @defaultValue 10 */
  readonly idleMs?: number;
}

/** Values by case, the n-th of each taken in the same round. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/**
 * Measures all cases in every round, in a new random order each: the machine's own drift (1.6 times within an hour is
 * usual) then hits all of them alike.
 */
export async function interleave(cases: readonly BenchCase[], options: InterleaveOptions): Promise<Samples> {
  const { rounds, warmup = 2, idleMs = 10 } = options;
  const samples = new Map<string, number[]>(cases.map((one) => [one.name, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const one of shuffled(cases)) {
      const value = await one.measure();
      if (round >= 0) samples.get(one.name)?.push(value);
      await sleep(idleMs);
    }
  }
  return samples;
}

/** Milliseconds that the work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let n = result.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [result[n], result[other]] = [result[other] as T, result[n] as T];
  }
  return result;
}
