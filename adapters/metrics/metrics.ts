/**
 * What a program counts and shows to Prometheus. Counting costs a look into a map. npm prom-client is loaded and the process
 * itself measured from the first scrape on, so that a program nobody scrapes, and every start, pays nothing for it; therefore
 * histograms begin with the first scrape, too. A registry of its own for each program, none of the module.
 */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Of few values each, and never an id: each combination is a series that is kept as long as the program runs. */
  readonly labels: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** Gauges as they are at a scrape, by name. */
export type Readings<Name extends string> = Readonly<Partial<Record<Name, readonly Sample[]>>>;

/** Further combinations of labels of one counter are counted as `other`. */
const MOST_SERIES = 500;
/** Seconds: from a write that the disk only caches to one that waits for it. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

interface Shown {
  readonly registry: Registry;
  readonly histograms: ReadonlyMap<string, Histogram>;
  /** Gauges and counters: told anew at each scrape. */
  readonly told: ReadonlyMap<string, Gauge | Counter>;
}

export class Metrics<Name extends string> {
  readonly #specs: ReadonlyMap<string, MetricSpec>;
  readonly #counts = new Map<string, Map<string, { readonly labels: Labels; value: number }>>();
  #shown: Promise<Shown> | undefined;
  #histograms: ReadonlyMap<string, Histogram> | undefined;

  constructor(specs: Readonly<Record<Name, MetricSpec>>) {
    this.#specs = new Map(Object.entries<MetricSpec>(specs));
  }

  count(name: Name, labels: Labels = {}, by = 1): void {
    const series = this.#counts.get(name) ?? new Map<string, { labels: Labels; value: number }>();
    this.#counts.set(name, series);
    const key = Object.values(labels).join('\n');
    const known = series.get(key);
    if (known !== undefined) known.value += by;
    else if (series.size < MOST_SERIES) series.set(key, { labels, value: by });
    else this.#countOther(series, labels, by);
  }

  /** Of a histogram: `seconds` of one thing. */
  observe(name: Name, seconds: number, labels: Labels = {}): void {
    this.#histograms?.get(name)?.observe({ ...labels }, seconds);
  }

  /** Prometheus' text form, version 0.0.4. */
  async text(readings: Readings<Name>): Promise<string> {
    const { registry, told } = await (this.#shown ??= this.#show());
    const samples = new Map(Object.entries<readonly Sample[] | undefined>(readings));
    for (const [name, metric] of told) {
      metric.reset();
      for (const { labels, value } of samples.get(name) ?? this.#counts.get(name)?.values() ?? [])
        metric.inc({ ...labels }, value);
    }
    return registry.metrics();
  }

  #countOther(
    series: Map<string, { labels: Labels; value: number }>,
    labels: Labels,
    by: number,
  ): void {
    const others = Object.fromEntries(Object.keys(labels).map((label) => [label, 'other']));
    const key = Object.values(others).join('\n');
    const other = series.get(key);
    if (other === undefined) series.set(key, { labels: others, value: by });
    else other.value += by;
  }

  async #show(): Promise<Shown> {
    const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } =
      await import('prom-client');
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const histograms = new Map<string, Histogram>();
    const told = new Map<string, Gauge | Counter>();
    for (const [name, { type, help, labels }] of this.#specs) {
      const about = { name, help, labelNames: [...labels], registers: [registry] };
      if (type === 'histogram') histograms.set(name, new Histogram({ ...about, buckets: BUCKETS }));
      else told.set(name, type === 'counter' ? new Counter(about) : new Gauge(about));
    }
    this.#histograms = histograms;
    return { registry, histograms, told };
  }
}
