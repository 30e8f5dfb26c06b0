/**
 * What a node uses while nothing happens: three plugins, 50 runs that sleep. Processor time out of /proc/PID/stat, one value a
 * minute; memory at the end. 100 % is one core.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { importBusybox } from '../fixtures/image/busybox.mjs';
import { engineHost, type Cluster } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { wasmTask, type Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { cpuSeconds, megabytes, withChildren } from './kit/processes.ts';
import { IMAGE } from './kit/raw-container.ts';
import { until } from './kit/until.ts';

const RUNS = 50;
const MINUTES = 5;
const MINUTE_MS = 60_000;
const CALM_MS = 10_000;
const AIM_PERCENT = 1;

const small = { Resources: { CPU: '10m', Memory: '64Mi' } };
const SLEEPERS: Readonly<Record<string, Task>> = {
  process: { Engine: { Type: 'process', Params: { Command: ['sleep', '3600'] } }, ...small },
  wasm: { ...wasmTask('ticker', ['10', '3600000']), ...small },
  docker: {
    Engine: { Type: 'docker', Params: { Image: IMAGE, Parameters: ['sleep', '3600'] } },
    ...small,
  },
};
const executors = Object.keys(SLEEPERS).filter((name) => name !== 'docker' || engineHost);

if (engineHost !== undefined) await importBusybox(engineHost);
await measure(
  async (cluster) => {
    const held = await startRuns(cluster);
    const plugins = (await cluster.status()).executors.map(({ pid = 0 }) => pid);
    const ours = [cluster.agentPid, ...plugins];
    say(`${MINUTES} minutes of nothing, ${RUNS} runs of ${executors.join(', ')}`);
    await delay(CALM_MS);
    const cpu = await cpuOf({ agent: [cluster.agentPid], plugins, ours, held });
    return [
      ...cpu,
      memory('idle: memory of the agent (RSS)', [cluster.agentPid]),
      memory(`idle: memory of ${plugins.length} plugins (PSS)`, plugins),
      memory(`idle: memory of runners and holders of ${RUNS} runs (PSS)`, withChildren(held)),
    ];
  },
  { executors, agent: { capacity: { CPU: '16', Memory: '16Gi' } } },
);

/** Answers the processes of ours that keep them: runners and holders. */
async function startRuns(cluster: Cluster): Promise<readonly number[]> {
  const holders: number[] = [];
  for (let at = 0; at < RUNS; at++) {
    const executor = executors[at % executors.length] ?? '';
    const task = SLEEPERS[executor];
    if (task === undefined) throw new Error(`no work for ${executor}`);
    const job = await cluster.jobs.submit(task);
    const id = await until(`${job} to run`, MINUTE_MS, async () => {
      const execution = await cluster.jobs.executionOf(job);
      return execution?.state === 'running' ? execution.id : undefined;
    });
    if (executor !== 'docker') holders.push(holderOf(cluster, executor, id));
  }
  return holders;
}

function holderOf(cluster: Cluster, executor: string, execution: string): number {
  const claim = join(cluster.agentFolder, 'runs', executor, execution, '0', 'claim');
  return Number(readFileSync(claim, 'utf8').split(' ')[0]);
}

interface Groups {
  readonly agent: readonly number[];
  readonly plugins: readonly number[];
  readonly ours: readonly number[];
  readonly held: readonly number[];
}

async function cpuOf({ agent, plugins, ours, held }: Groups): Promise<Figure[]> {
  const groups = [agent, plugins, ours, held] as const;
  const values: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let minute = 0; minute < MINUTES; minute++) {
    const [began, before] = [performance.now(), groups.map(used)];
    await delay(MINUTE_MS);
    const seconds = (performance.now() - began) / 1000;
    groups.forEach((pids, at) => {
      values[at]?.push(((used(pids) - (before[at] ?? 0)) / seconds) * 100);
    });
  }
  const percent = (name: string, of: readonly number[]) => figure(name, { unit: '%', values: of });
  return [
    percent('idle: processor, agent', values[0]),
    percent(`idle: processor, ${plugins.length} plugins`, values[1]),
    figure('idle: processor, agent and plugins', {
      unit: '%',
      values: values[2],
      below: AIM_PERCENT,
    }),
    percent(`idle: processor, runners and holders of ${RUNS} runs`, values[3]),
  ];
}

function used(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

function memory(name: string, pids: readonly number[]): Figure {
  const field = name.includes('RSS') ? 'Rss' : 'Pss';
  const values = [pids.reduce((sum, pid) => sum + megabytes(pid, field), 0)];
  return figure(name, { unit: 'MB', values });
}
