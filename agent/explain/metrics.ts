/**
 * What a node counts: decisions by rule, reattachments, foreign, swept and quarantined things. Counters live as long as the
 * process; gauges are read when they are asked for.
 */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export type CounterName = 'limpet_recovery_decisions_total' | 'limpet_swept_total';

const HELP: Readonly<Record<CounterName, string>> = {
  limpet_recovery_decisions_total: 'Decisions taken in a recovery pass, by rule and action.',
  limpet_swept_total: 'Leftovers removed by the sweep, by kind.',
};

export class Counters {
  readonly #counts = new Map<
    CounterName,
    Map<string, { labels: Record<string, string>; value: number }>
  >();

  add(name: CounterName, labels: Record<string, string>, by = 1): void {
    const series =
      this.#counts.get(name) ??
      new Map<string, { labels: Record<string, string>; value: number }>();
    this.#counts.set(name, series);
    const key = JSON.stringify(labels);
    const sample = series.get(key);
    if (sample === undefined) series.set(key, { labels, value: by });
    else sample.value += by;
  }

  metrics(): Metric[] {
    return [...this.#counts].map(([name, series]) => ({
      ...{ name, type: 'counter', help: HELP[name] },
      samples: [...series.values()],
    }));
  }
}

/** Prometheus' text form, version 0.0.4. */
export function formatMetrics(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => `${name}${formatLabels(labels ?? {})} ${value}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
