/**
 * How long a killed agent takes from its start until it has adopted everything that went on without it: 10, 100 and 300
 * containers, then 100 WASM runs, then 100 processes. The runs only sleep, so that what is measured is the recovery and not
 * their work. And how long `agent stop --kill` takes to end them all.
 */
import { importBusybox } from '../fixtures/image/busybox.mjs';
import type { Cluster } from './kit/cluster.ts';
import { engineHost } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { wasmTask, type Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { IMAGE } from './kit/raw-container.ts';
import { until } from './kit/until.ts';

const CONTAINERS = [10, 100, 300];
const CONTAINER_AIM = { containers: 100, belowMs: 1_000 };
const HELD_RUNS = 100;
const ROUNDS = 5;
/** Submissions under way at once. */
const LANES = 8;
const START_MS = 600_000;

const container: Task = {
  Engine: { Type: 'docker', Params: { Image: IMAGE, Parameters: ['sleep', '3600'] } },
  Resources: { Memory: '16Mi', CPU: '10m' },
};
const guest: Task = {
  ...wasmTask('ticker', ['3600', '1000']),
  Resources: { Memory: '16Mi', CPU: '10m' },
};

const command: Task = {
  Engine: { Type: 'process', Params: { Command: ['sleep', '3600'] } },
  Resources: { Memory: '16Mi', CPU: '10m' },
};

const submitted: string[] = [];

if (engineHost !== undefined) await importBusybox(engineHost);

await measure(async (cluster) => {
  const figures: Figure[] = [];
  let containers = 0;
  for (const count of engineHost === undefined ? [] : CONTAINERS) {
    await fillUp(cluster, 'docker', { task: container, from: containers, to: count });
    containers = count;
    const values = await adoptions(cluster, 'docker', count);
    const below = count === CONTAINER_AIM.containers ? { below: CONTAINER_AIM.belowMs } : {};
    figures.push(
      figure(`agent start until ${count} containers are adopted`, { unit: 'ms', values, ...below }),
    );
  }
  await clear(cluster);
  for (const [executor, kind, task] of [
    ['wasm', 'WASM runs', guest],
    ['process', 'processes', command],
  ] as const) {
    await fillUp(cluster, executor, { task, from: 0, to: HELD_RUNS });
    const values = await adoptions(cluster, executor, HELD_RUNS);
    const all = `${HELD_RUNS} ${kind}`;
    figures.push(figure(`agent start until ${all} are adopted`, { unit: 'ms', values }));
    figures.push(
      figure(`agent stop --kill with ${all}`, { unit: 'ms', values: [await ended(cluster)] }),
    );
    await cluster.startAgent();
    await clear(cluster);
  }
  return figures;
});

/** Stopped by their owner, as work that only its node has ended is placed again. */
async function clear(cluster: Cluster): Promise<void> {
  for (const job of submitted.splice(0)) await cluster.jobs.stop(job);
  await until('nothing to be left', START_MS, async () => {
    const { executions } = await cluster.status();
    return executions.length === 0 ? true : undefined;
  });
}

async function fillUp(
  cluster: Cluster,
  executor: string,
  { task, from, to }: { readonly task: Task; readonly from: number; readonly to: number },
): Promise<void> {
  say(`starting ${to - from} runs of ${executor}`);
  let left = to - from;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      submitted.push(await cluster.jobs.submit(task));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await until(`${to} running ${executor} executions`, START_MS, async () => {
    const { executions } = await cluster.status();
    const running = executions.filter((e) => e.executor === executor && e.state === 'running');
    return running.length >= to ? true : undefined;
  });
}

async function adoptions(cluster: Cluster, executor: string, count: number): Promise<number[]> {
  say(`${ROUNDS} kills of the agent with ${count} runs of ${executor}`);
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await cluster.killAgent();
    const { executors, readyMs } = await cluster.startAgent();
    const adopted = executors.find(({ name }) => name === executor)?.adopted;
    if (adopted !== count) throw new Error(`${String(adopted)} of ${count} runs were adopted`);
    values.push(readyMs ?? Number.NaN);
  }
  return values;
}

async function ended(cluster: Cluster): Promise<number> {
  const began = performance.now();
  await cluster.endAgent();
  return performance.now() - began;
}
