/**
 * Fifty containers of `true` at once: one batch job of fifty executions, and the same containers by raw calls to the same
 * engine (create, start, wait, logs, remove) with the same parallelism, in alternating rounds. The ratio of the medians is
 * what Limpet makes of the engine.
 */
import { importBusybox } from '../fixtures/image/busybox.mjs';
import { engineHost, type Cluster } from './kit/cluster.ts';
import { figure, quantile } from './kit/figure.ts';
import { measure, print, say } from './kit/measure.ts';
import { containerTask, runRawContainer } from './kit/raw-container.ts';

const PARALLEL = 50;
const PAIRS = 4;
/** No further pair after this. */
const ENOUGH_MS = 75_000;
const AIM = 1.25;

if (engineHost === undefined) {
  say('left out: no Docker engine');
  print([]);
} else {
  const host = engineHost;
  await importBusybox(host);
  await measure((cluster) => compare(cluster, host), {
    executors: ['docker'],
    agent: { capacity: { CPU: '64', Memory: '64Gi' } },
  });
}

async function compare(cluster: Cluster, host: string) {
  await runRawContainer(host);
  await throughLimpet(cluster, 2);
  say(`${PAIRS} alternating pairs of ${PARALLEL} containers`);
  const ours: number[] = [];
  const raw: number[] = [];
  const began = performance.now();
  while (raw.length < PAIRS && performance.now() - began < ENOUGH_MS) {
    raw.push(await bare(host));
    ours.push(await throughLimpet(cluster, PARALLEL));
  }
  const ratio = quantile(ours, 0.5) / quantile(raw, 0.5);
  return [
    figure(`${PARALLEL} containers at once by raw engine calls`, { unit: 'ms', values: raw }),
    figure(`${PARALLEL} Docker runs at once, submitted to completed`, { unit: 'ms', values: ours }),
    {
      ...figure('the same: ratio of the medians', { unit: 'times', values: [ratio], below: AIM }),
      samples: raw.length,
    },
  ];
}

async function bare(host: string): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: PARALLEL }, () => runRawContainer(host)));
  return performance.now() - began;
}

async function throughLimpet({ jobs }: Cluster, count: number): Promise<number> {
  const began = performance.now();
  const { state, message } = await jobs.watch(await jobs.submit(containerTask, count));
  if (state !== 'Completed') throw new Error(`a job of the bench is ${state}: ${message}`);
  return performance.now() - began;
}
