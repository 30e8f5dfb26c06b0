/**
 * Short WASM runs per second through the whole way: submitted to the requester as batch jobs of many executions, counted
 * when the requester says that each job has completed, from the first submission to the last of these. With it what a run
 * costs of the processors, by program.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { wasmTask, type Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { childrenSeconds, ownSeconds, programs } from './kit/processes.ts';

const JOBS = 12;
const RUNS_A_JOB = 50;
const RUNS = JOBS * RUNS_A_JOB;
const WARM_UP_RUNS = 200;
const ROUNDS = 3;
/** No further round after this. */
const ENOUGH_MS = 50_000;
const AIM_PER_S = 300;

await measure(
  async (cluster) => {
    const task: Task = { ...wasmTask('hello'), Resources: { Memory: '16Mi', CPU: '10m' } };
    await finish(cluster, task, [WARM_UP_RUNS]);
    say(`${ROUNDS} rounds of ${JOBS} jobs of ${RUNS_A_JOB} executions`);
    const rates: number[] = [];
    const costs = new Map<string, number[]>();
    const began = performance.now();
    while (rates.length < ROUNDS && performance.now() - began < ENOUGH_MS) {
      const before = await used(cluster);
      const ms = await finish(cluster, task, Array<number>(JOBS).fill(RUNS_A_JOB));
      rates.push(RUNS / (ms / 1000));
      for (const [name, seconds] of await used(cluster)) {
        const spent = ((seconds - (before.get(name) ?? 0)) * 1000) / RUNS;
        costs.set(name, [...(costs.get(name) ?? []), spent]);
      }
    }
    return [
      figure('short WASM runs', { unit: 'per s', values: rates, above: AIM_PER_S }),
      ...[...costs].map(([name, values]): Figure =>
        figure(`processor time of a run: ${name}`, { unit: 'ms', values }),
      ),
    ];
  },
  { executors: ['wasm'], agent: { capacity: { CPU: '64', Memory: '64Gi' } } },
);

/** Submits one job of each size at once; ms until the last has completed. */
async function finish({ jobs }: Cluster, task: Task, sizes: readonly number[]): Promise<number> {
  const began = performance.now();
  await Promise.all(
    sizes.map(async (count) => {
      const { state, message } = await jobs.watch(await jobs.submit(task, count));
      if (state !== 'Completed') throw new Error(`a job of the bench is ${state}: ${message}`);
    }),
  );
  return performance.now() - began;
}

/** Seconds of a core, by program. */
async function used(cluster: Cluster): Promise<ReadonlyMap<string, number>> {
  const { executors } = await cluster.status();
  const plugin = executors.map(({ pid = 0 }) => pid);
  const runners = programs('wasm-runner.js', cluster.agentFolder);
  const { children } = JSON.parse(readFileSync(join(cluster.folder, 'dev.json'), 'utf8'));
  const sum = (pids: readonly number[], of = ownSeconds): number =>
    pids.reduce((total, pid) => total + of(pid), 0);
  const { user, system } = process.cpuUsage();
  return new Map([
    ['agent', sum([cluster.agentPid])],
    ['wasm plugin', sum(plugin)],
    ['runners', sum(runners) + sum(plugin, childrenSeconds)],
    ...Object.entries(children as Record<string, { readonly pid: number }>).map(
      ([name, { pid }]): [string, number] => [name, sum([pid])],
    ),
    ['this bench', (user + system) / 1e6],
  ]);
}
