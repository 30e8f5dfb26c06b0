/** Runs of the samples, as the rules of stop, logs, streams, deadline and exit need them. */
import { launch, logged, remove } from './steps.ts';
import {
  NotApplicable,
  type Bench,
  type Plugin,
  type SampleName,
  type Spec,
  type SpecChanges,
} from './types.ts';

/** Starts a run, lends it to `use`, and removes it with its log, so that the plugin is as it was before. */
export async function withRun<T>(
  plugin: Plugin,
  wanted: Spec,
  use: (spec: Spec) => Promise<T>,
): Promise<T> {
  const { spec } = await launch(plugin, wanted);
  try {
    return await use(spec);
  } finally {
    await remove(plugin, spec, true).catch(() => undefined);
  }
}

/** A run of `long` or `stubborn` that has begun to print: from then on it ignores what it is to ignore. */
export async function ticking(
  bench: Bench,
  sample: SampleName,
  changes: SpecChanges = {},
): Promise<Spec> {
  const { spec } = await launch(bench.plugin, bench.spec(sample, changes));
  await logged(bench.plugin, spec, 'tick 0\n');
  return spec;
}

/** The same, lent to `use` and removed afterwards. */
export function withTicks<T>(
  bench: Bench,
  wish: SpecChanges & { readonly sample: SampleName },
  use: (spec: Spec) => Promise<T>,
): Promise<T> {
  const { sample, ...changes } = wish;
  return withRun(bench.plugin, bench.spec(sample, changes), async (run) => {
    await logged(bench.plugin, run, 'tick 0\n');
    return use(run);
  });
}

/** `stubborn` where there is such work, else `long`. */
export function lasting({ samples }: Bench): SampleName {
  return samples.stubborn === undefined ? 'long' : 'stubborn';
}

export function onlyUnheld({ capabilities }: Bench): void {
  if (capabilities.held) throw new NotApplicable('runs of this plugin are held without it');
}

/** What the samples `flood` and `huge` print: so many lines of 60 bytes, numbered from 0. */
export function lines(count: number): Buffer {
  const text: string[] = [];
  for (let at = 0; at < count; at++) {
    const number = `${String(at).padStart(5, '0')} `;
    text.push(number.padEnd(59, 'x'));
  }
  return Buffer.from(`${text.join('\n')}\n`);
}
