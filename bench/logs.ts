/**
 * `limpet job logs`, as somebody at a terminal has it: how long a line takes from the container to the screen, how fast a
 * long log comes, and what 500 streams that are followed cost their node.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { importBusybox } from '../fixtures/image/busybox.mjs';
import { engineHost, type Cluster } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import type { Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { megabytes, ownSeconds } from './kit/processes.ts';
import { IMAGE } from './kit/raw-container.ts';
import { until } from './kit/until.ts';

const LINES = 300;
const EVERY_MS = 20;
const AIM_MS = 15;
const LOG_BYTES = 90e6;
const LINE_BYTES = 100;
const READS = 7;
/** Before them: programs that have just started run code that is not compiled yet. */
const WARM_UP = 5;
const AIM_MB_PER_S = 80;
const STREAMS = 500;
const CALM_MS = 10_000;
const WINDOW_MS = 10_000;
const WINDOWS = 3;
const START_MS = 120_000;

const limpet = fileURLToPath(new URL('../bin/limpet', import.meta.url));
const talking = {
  name: 'talking',
  command: [
    process.execPath,
    `--import=${import.meta.resolve('tsx')}`,
    fileURLToPath(new URL('kit/talking-plugin.ts', import.meta.url)),
  ],
};
const small = { Resources: { CPU: '10m', Memory: '16Mi' } };

if (engineHost !== undefined) await importBusybox(engineHost);
await measure(
  async (cluster) => [
    ...(await linesToScreen(cluster)),
    ...(await fileToScreen(cluster)),
    ...(await manyStreams(cluster)),
  ],
  {
    executors: ['docker', 'process'],
    plugins: [talking],
    agent: { capacity: { CPU: '64', Memory: '64Gi' }, allowLocal: [{ path: '/tmp' }] },
  },
);

/** `job logs -f` of work that repeats what is written into a pipe. */
async function linesToScreen(cluster: Cluster): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const executor of engineHost === undefined ? ['process'] : ['docker', 'process']) {
    const folder = join(cluster.folder, `pipe-${executor}`);
    mkdirSync(folder, { mode: 0o777 });
    const pipe = join(folder, 'lines');
    spawnSync('mkfifo', ['-m', '666', pipe]);
    const job = await cluster.jobs.submit({
      ...small,
      ...(executor === 'docker'
        ? { Engine: { Type: 'docker', Params: { Image: IMAGE, Parameters: ['cat', '/in/lines'] } } }
        : { Engine: { Type: 'process', Params: { Command: ['cat', 'in/lines'] } } }),
      InputSources: [{ Source: { Type: 'local', Params: { SourcePath: folder } }, Target: '/in' }],
    });
    const values = await delays(cluster, job, pipe);
    figures.push(
      figure(`line written in a ${executor} run to line on the screen`, {
        ...{ unit: 'ms', values },
        ...(executor === 'docker' ? { below: AIM_MS } : {}),
      }),
    );
  }
  return figures;
}

async function delays(cluster: Cluster, job: string, pipe: string): Promise<number[]> {
  say(`${LINES} lines, one every ${EVERY_MS} ms`);
  const reader = spawn(limpet, ['job', 'logs', '-f', job], { env: environment(cluster) });
  const seen: number[] = [];
  createInterface(reader.stdout).on('line', (line) => {
    const [text, written] = line.split(' ');
    if (text === 'line') seen.push(performance.now() - Number(written));
    else seen.length = 0;
  });
  // Opening waits for the work to open its end; read and write, so that this process does not wait.
  const fd = openSync(pipe, 'r+');
  await until('the first line', START_MS, async () => {
    writeSync(fd, 'warm\n');
    await delay(EVERY_MS);
    return (await cluster.jobs.executionOf(job))?.state === 'running' || undefined;
  });
  await delay(1000);
  for (let n = 0; n < LINES; n++) {
    writeSync(fd, `line ${performance.now()}\n`);
    await delay(EVERY_MS);
  }
  const values = await until('all lines', START_MS, async () =>
    seen.length >= LINES ? [...seen] : undefined,
  );
  await cluster.jobs.stop(job);
  reader.kill();
  return values;
}

/** The whole log of a run that is over, to a screen that takes everything; less what the command takes for one line. */
async function fileToScreen(cluster: Cluster): Promise<Figure[]> {
  say(`a log of ${LOG_BYTES / 1e6} MB`);
  const count = Math.round(LOG_BYTES / LINE_BYTES);
  const text = 'x'.repeat(LINE_BYTES - 1);
  const [long, short] = [await ended(cluster, count), await ended(cluster, 1)];
  const rates: number[] = [];
  for (let read = 0; read < WARM_UP; read++) timeOf(cluster, long);
  for (let read = 0; read < READS; read++) {
    const base = timeOf(cluster, short);
    rates.push(LOG_BYTES / 1e6 / ((timeOf(cluster, long) - base) / 1000));
  }
  return [
    figure('one log, from file to CLI', { unit: 'MB/s', values: rates, above: AIM_MB_PER_S }),
  ];

  async function ended({ jobs }: Cluster, lines: number): Promise<string> {
    const Command = ['sh', '-c', `yes ${text} | head -n ${lines}`];
    const job = await jobs.submit({ ...small, Engine: { Type: 'process', Params: { Command } } });
    await jobs.watch(job);
    return job;
  }
}

function timeOf(cluster: Cluster, job: string): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(limpet, ['job', 'logs', job], {
    env: environment(cluster),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`limpet job logs: ${stderr.toString()}`);
  return performance.now() - began;
}

/** Each of the runs prints a line a second; first nobody reads, then each has a reader. */
async function manyStreams(cluster: Cluster): Promise<Figure[]> {
  say(`${STREAMS} runs that print a line a second`);
  const task: Task = { ...small, Engine: { Type: 'talking', Params: {} } };
  const jobs: string[] = [];
  for (let n = 0; n < STREAMS; n++) jobs.push(await cluster.jobs.submit(task));
  for (const job of jobs)
    await until(`${job} to run`, START_MS, async () =>
      (await cluster.jobs.executionOf(job))?.state === 'running' ? true : undefined,
    );
  const pids = { agent: cluster.agentPid, requester: cluster.requesterPid };
  await delay(CALM_MS);
  const alone = await windows(pids);
  let lines = 0;
  const readers = await Promise.all(jobs.map((job) => cluster.jobs.followLog(job)));
  for (const reader of readers) reader.on('data', () => (lines += 1));
  await delay(CALM_MS);
  const before = lines;
  const followed = await windows(pids);
  const perSecond = (lines - before) / ((WINDOWS * WINDOW_MS) / 1000);
  for (const reader of readers) reader.destroy();
  const cpu = (who: 'agent' | 'requester') =>
    figure(`${STREAMS} followed streams: processor of the ${who}, beyond the runs'`, {
      unit: '%',
      values: followed[who].cpu.map((value, at) => value - (alone[who].cpu[at] ?? 0)),
    });
  const memory = (who: 'agent' | 'requester') =>
    figure(`${STREAMS} followed streams: memory of the ${who}, beyond the runs' (RSS)`, {
      unit: 'MB',
      values: [followed[who].rss - alone[who].rss],
    });
  return [
    figure(`${STREAMS} followed streams: pieces that came`, { unit: 'per s', values: [perSecond] }),
    ...[cpu('agent'), memory('agent'), cpu('requester'), memory('requester')],
  ];
}

interface Use {
  readonly cpu: number[];
  rss: number;
}

async function windows(pids: Readonly<Record<'agent' | 'requester', number>>) {
  const use = { agent: { cpu: [], rss: 0 } as Use, requester: { cpu: [], rss: 0 } as Use };
  for (let window = 0; window < WINDOWS; window++) {
    const began = performance.now();
    const before = { agent: ownSeconds(pids.agent), requester: ownSeconds(pids.requester) };
    await delay(WINDOW_MS);
    const seconds = (performance.now() - began) / 1000;
    for (const who of ['agent', 'requester'] as const) {
      use[who].cpu.push(((ownSeconds(pids[who]) - before[who]) / seconds) * 100);
      use[who].rss = megabytes(pids[who], 'Rss');
    }
  }
  return use;
}

function environment(cluster: Cluster): NodeJS.ProcessEnv {
  return { ...process.env, LIMPET_DATA: cluster.folder };
}
