import type { Samples } from './interleave.js';
import { median, pairedRatio, quantile } from './stats.js';

/** A line of the result. */
export interface BenchRow {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  readonly samples: number;
  readonly median: number;
  readonly p90: number;
  /** This over the baseline, median of the rounds' own ratios. */
  readonly ratio?: number;
  readonly baseline?: string;
  readonly goal?: Goal;
}

/** What the number has to be: of the ratio where `of` says so, else of the median. */
export interface Goal {
  readonly of?: 'ratio';
  readonly max?: number;
  readonly min?: number;
}

export interface RowOptions {
  readonly baseline?: string;
  readonly goal?: Goal;
  /** @defaultValue `ms` */
  readonly unit?: string;
}

/** The line of one case out of a set of samples. */
export function rowOf(suite: string, samples: Samples, name: string, options: RowOptions = {}): BenchRow {
  const values = samples.get(name) ?? [];
  const baseline = options.baseline === undefined ? undefined : samples.get(options.baseline);
  return {
    suite,
    name,
    unit: options.unit ?? 'ms',
    samples: values.length,
    median: median(values),
    p90: quantile(values, 0.9),
    ...(baseline && { ratio: pairedRatio(values, baseline), baseline: options.baseline as string }),
    ...(options.goal && { goal: options.goal }),
  };
}

/** The line of a single number. */
export function valueRow(suite: string, name: string, value: number, unit: string, goal?: Goal): BenchRow {
  return { suite, name, unit, samples: 1, median: value, p90: value, ...(goal && { goal }) };
}

/** True, false, or undefined when there is no goal. */
export function isMet(row: BenchRow): boolean | undefined {
  if (row.goal === undefined) return undefined;
  const value = row.goal.of === 'ratio' ? row.ratio : row.median;
  if (value === undefined || Number.isNaN(value)) return false;
  return value <= (row.goal.max ?? Number.POSITIVE_INFINITY) && value >= (row.goal.min ?? Number.NEGATIVE_INFINITY);
}

/** A markdown table of all lines, suites in the order they come. */
export function formatTable(rows: readonly BenchRow[]): string {
  const lines = ['| suite | case | median | p90 | ratio | against | goal | |', '|---|---|---:|---:|---:|---|---|---|'];
  for (const row of rows) {
    const met = isMet(row);
    const cells = [
      row.suite,
      row.name,
      `${number(row.median)} ${row.unit}`,
      row.samples > 1 ? number(row.p90) : '',
      row.ratio === undefined ? '' : row.ratio.toFixed(2),
      row.baseline ?? '',
      goalText(row),
      met === undefined ? '' : met ? 'ok' : '**missed**',
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function goalText({ goal, unit }: BenchRow): string {
  if (goal === undefined) return '';
  const suffix = goal.of === 'ratio' ? '×' : ` ${unit}`;
  const bounds = [
    goal.max === undefined ? '' : `≤ ${round(goal.max)}${suffix}`,
    goal.min === undefined ? '' : `≥ ${round(goal.min)}${suffix}`,
  ];
  return bounds.filter(Boolean).join(', ');
}

function number(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
