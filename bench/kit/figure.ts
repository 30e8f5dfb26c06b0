/** What a bench file answers: one figure per row of the table. */
export interface Figure {
  /** What was measured, as a person would ask for it. */
  readonly name: string;
  readonly unit: 'ms' | 'MB' | 'MB/s' | 'per s' | '%' | 'lines' | 'times';
  readonly samples: number;
  readonly median: number;
  /** `p99 12.3` from 100 samples on, else the range `10.1..14.8`; empty for one sample. */
  readonly spread: string;
  /** What the median is held to; missing for a figure without an aim. */
  readonly aim?: { readonly below: number } | { readonly above: number };
}

export interface Measured {
  readonly unit: Figure['unit'];
  readonly values: readonly number[];
  readonly below?: number;
  readonly above?: number;
}

const P99_SAMPLES = 100;

export function figure(name: string, { unit, values, below, above }: Measured): Figure {
  return {
    name,
    unit,
    samples: values.length,
    median: quantile(values, 0.5),
    spread: spreadOf(values),
    ...(below === undefined ? {} : { aim: { below } }),
    ...(above === undefined ? {} : { aim: { above } }),
  };
}

/** The smallest value that at least the share `q` of all values does not exceed; the middle of the two for an even median. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = Math.max(0, Math.ceil(q * sorted.length) - 1);
  const value = sorted[at] ?? Number.NaN;
  return q === 0.5 && sorted.length % 2 === 0 ? (value + (sorted[at + 1] ?? value)) / 2 : value;
}

function spreadOf(values: readonly number[]): string {
  if (values.length < 2) return '';
  if (values.length >= P99_SAMPLES) return `p99 ${quantile(values, 0.99).toFixed(1)}`;
  return `${Math.min(...values).toFixed(1)}..${Math.max(...values).toFixed(1)}`;
}
