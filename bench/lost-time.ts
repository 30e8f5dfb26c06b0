/**
 * What a running job loses when the agent, or its plugin, is killed and comes back: a process that writes the time every
 * 20 ms, and the longest gap between two of its lines in a window without and with the kill.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './kit/cluster.ts';
import { figure } from './kit/figure.ts';
import type { Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { until } from './kit/until.ts';

const ROUNDS = 7;
const WINDOW_MS = 2_500;
const clock: Task = {
  Engine: {
    Type: 'process',
    Params: { Command: ['sh', '-c', 'while :; do date +%s%N; sleep 0.02; done'] },
  },
};

await measure(
  async (cluster) => {
    const file = await start(cluster);
    const quiet: number[] = [];
    const agent: number[] = [];
    const plugin: number[] = [];
    say(`${ROUNDS} rounds of nothing, agent killed, plugin killed`);
    for (let round = 0; round < ROUNDS; round++) {
      quiet.push(await longestGap(file, async () => undefined));
      agent.push(
        await longestGap(file, async () => {
          await cluster.killAgent();
          await cluster.startAgent();
        }),
      );
      plugin.push(await longestGap(file, () => killPlugin(cluster)));
    }
    return [
      figure('longest gap of a 20 ms ticker, undisturbed', { unit: 'ms', values: quiet }),
      figure('the same while the agent is killed and comes back', { unit: 'ms', values: agent }),
      figure('the same while its plugin is killed and comes back', { unit: 'ms', values: plugin }),
    ];
  },
  { executors: ['process'] },
);

/** Answers the file that the run writes its ticks to. */
async function start(cluster: Cluster): Promise<string> {
  const job = await cluster.jobs.submit(clock);
  return until('the ticker to run', 20_000, async () => {
    const execution = await cluster.jobs.executionOf(job);
    if (execution?.state !== 'running') return undefined;
    return join(cluster.agentFolder, 'runs', 'process', execution.id, '0', 'stdout');
  });
}

async function killPlugin(cluster: Cluster): Promise<void> {
  const before = (await cluster.status()).executors[0]?.pid;
  if (before === undefined) throw new Error('there is no plugin to kill');
  process.kill(before, 'SIGKILL');
  await until('another plugin', 20_000, async () => {
    const [executor] = (await cluster.status()).executors;
    const isBack = executor?.health === 'healthy' && executor.pid !== before;
    return isBack && executor.recovery === 'complete' ? true : undefined;
  });
}

/** Ms, over the work and a window behind it. */
async function longestGap(file: string, work: () => Promise<void>): Promise<number> {
  const from = Date.now();
  await work();
  await delay(WINDOW_MS);
  const ticks = readFileSync(file, 'utf8').trim().split('\n').map(Number);
  const times = ticks.map((nanoseconds) => nanoseconds / 1e6).filter((at) => at >= from);
  return times.slice(1).reduce((most, at, i) => Math.max(most, at - (times[i] ?? at)), 0);
}
