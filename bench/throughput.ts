/**
 * Short runs per second with several jobs in flight, through requester, broker, agent and plugin: of a real WASM module,
 * and of a plugin whose runs end as they start. For the latter also the changes of state that the agent made durable.
 */
import { fileURLToPath } from 'node:url';
import type { Cluster } from './kit/cluster.ts';
import { figure } from './kit/figure.ts';
import { wasmTask, type Ended, type Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';

const IN_FLIGHT = 16;
const WARM_UP = 30;
const ROUNDS = 5;
const INSTANT_JOBS = 100;
const WASM_JOBS = 30;

const plugin = {
  name: 'instant',
  command: [
    process.execPath,
    `--import=${import.meta.resolve('tsx')}`,
    fileURLToPath(new URL('kit/instant-plugin.ts', import.meta.url)),
  ],
};
const instantTask: Task = {
  Engine: { Type: 'instant', Params: {} },
  Resources: { Memory: '64Mi', CPU: '100m' },
};

await measure(
  async (cluster) => {
    const instant = await rates(cluster, instantTask, INSTANT_JOBS);
    const wasm = await rates(cluster, wasmTask('hello'), WASM_JOBS);
    const inFlight = `${IN_FLIGHT} in flight`;
    return [
      figure(`state changes, instant runs, ${inFlight}`, {
        unit: 'per s',
        values: instant.map(({ changes }) => changes),
      }),
      figure(`instant runs, ${inFlight}`, {
        unit: 'per s',
        values: instant.map(({ runs }) => runs),
      }),
      figure(`short WASM runs, ${inFlight}`, {
        unit: 'per s',
        values: wasm.map(({ runs }) => runs),
      }),
    ];
  },
  { executors: ['wasm'], plugins: [plugin] },
);

interface Rate {
  readonly runs: number;
  readonly changes: number;
}

/** One value per round. */
async function rates(cluster: Cluster, task: Task, count: number): Promise<Rate[]> {
  await flood(cluster, task, WARM_UP);
  say(`${ROUNDS} rounds of ${count} jobs (${task.Engine.Type}), ${IN_FLIGHT} in flight`);
  const found: Rate[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const ended = await flood(cluster, task, count);
    const seconds = (performance.now() - began) / 1000;
    const changes = await changesOf(cluster, ended);
    found.push({ runs: count / seconds, changes: changes / seconds });
  }
  return found;
}

async function flood({ jobs }: Cluster, task: Task, count: number): Promise<Ended[]> {
  const ended: Ended[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) ended.push((await jobs.run(task)).ended);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return ended;
}

/** Changes of state that the agent has reported, acceptance included. */
async function changesOf({ jobs }: Cluster, ended: readonly Ended[]): Promise<number> {
  let changes = 0;
  for (const { id } of ended.flatMap(({ executions }) => executions))
    changes += (await jobs.execution(id)).events.length;
  return changes;
}
