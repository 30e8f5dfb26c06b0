/**
 * Resident memory out of /proc/PID/smaps_rollup: agent and plugins after a hundred short jobs, and what one live run adds.
 * RSS counts shared pages in every process; PSS shares them out, so that runners may be added up.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { wasmTask, type Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { megabytes, withChildren, type Field } from './kit/processes.ts';
import { until } from './kit/until.ts';

const SHORT_JOBS = 100;
const SAMPLES = 10;
const EVERY_MS = 200;
const RUNS = 4;
const AGENT_AIM_MB = 110;
const sleeper: Task = { Engine: { Type: 'process', Params: { Command: ['sleep', '60'] } } };

await measure(async (cluster) => {
  const figures = [await resident('agent, just started (RSS)', cluster.agentPid, AGENT_AIM_MB)];
  say(`${SHORT_JOBS} short jobs, then what stays`);
  for (let i = 0; i < SHORT_JOBS; i++) await cluster.jobs.run(wasmTask('hello'));
  const { executors } = await cluster.status();
  const after = `after ${SHORT_JOBS} jobs (RSS)`;
  figures.push(await resident(`agent, ${after}`, cluster.agentPid, AGENT_AIM_MB));
  for (const { name, pid } of executors) {
    if (pid === undefined) continue;
    const when = name === 'wasm' ? after : 'idle (RSS)';
    figures.push(await resident(`plugin ${name}, ${when}`, pid));
  }
  figures.push(...(await ofRuns(cluster, 'wasm', wasmTask('ticker', ['60', '1000']))));
  figures.push(...(await ofRuns(cluster, 'process', sleeper)));
  return figures;
});

/** A holder (for wasm: the runner with the guest in it) is found by its claim; its children are its own. */
async function ofRuns(cluster: Cluster, executor: string, task: Task): Promise<Figure[]> {
  say(`${RUNS} live runs of ${executor}`);
  const started = await Promise.all(Array.from({ length: RUNS }, () => cluster.jobs.submit(task)));
  const trees = await Promise.all(
    started.map((job) =>
      until(`a claim of ${job}`, 20_000, async () => {
        const execution = await cluster.jobs.executionOf(job);
        if (execution?.state !== 'running') return undefined;
        const runs = join(cluster.agentFolder, 'runs', executor, execution.id, '0', 'claim');
        return [Number(readFileSync(runs, 'utf8').split(' ')[0])];
      }),
    ),
  );
  await delay(SAMPLES * EVERY_MS);
  const sum = (field: Field): number[] =>
    trees.map((tree) => withChildren(tree).reduce((mb, pid) => mb + megabytes(pid, field), 0));
  const figures = [
    figure(`one live ${executor} run (RSS)`, { unit: 'MB', values: sum('Rss') }),
    figure(`one live ${executor} run (PSS)`, { unit: 'MB', values: sum('Pss') }),
  ];
  await Promise.all(started.map((job) => cluster.jobs.stop(job)));
  await Promise.all(started.map((job) => cluster.jobs.watch(job)));
  return figures;
}

async function resident(name: string, pid: number, below?: number): Promise<Figure> {
  const values: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    await delay(EVERY_MS);
    values.push(megabytes(pid, 'Rss'));
  }
  return figure(name, { unit: 'MB', values, ...(below === undefined ? {} : { below }) });
}
