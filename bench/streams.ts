/**
 * How long a node goes on serving the log of a reader that is gone: a `limpet job logs -f` that is killed, a requester that
 * is killed and started again, and one that stands still.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster } from './kit/cluster.ts';
import { figure } from './kit/figure.ts';
import type { Task } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';
import { until } from './kit/until.ts';

const READERS = 20;
const REQUESTERS = 5;
const SILENCES = 2;
const MOST_MS = 60_000;

const ticker: Task = {
  Engine: {
    Type: 'process',
    Params: { Command: ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'] },
  },
};

await measure(
  async (cluster) => {
    const job = await cluster.jobs.submit(ticker);
    const [reader, back, silent]: [number[], number[], number[]] = [[], [], []];
    say(
      `${READERS} readers killed, the requester killed ${REQUESTERS} times, and ${SILENCES} times silent`,
    );
    for (let round = 0; round < READERS; round++)
      reader.push(await freed(cluster, job, ({ pid }) => end(pid)));
    for (let round = 0; round < REQUESTERS; round++) back.push(await killed(cluster, job));
    for (let round = 0; round < SILENCES; round++) {
      let pid = 0;
      silent.push(
        await freed(cluster, job, (reader) => {
          pause(reader);
          pid = requesterPid(cluster);
          process.kill(pid, 'SIGSTOP');
        }),
      );
      process.kill(pid, 'SIGCONT');
    }
    return [
      figure('a node is free of the log of a killed reader', { unit: 'ms', values: reader }),
      figure('the same of a killed requester that is started again', { unit: 'ms', values: back }),
      figure('the same of a requester that stands still', {
        ...{ unit: 'ms', values: silent, below: 18_000 },
      }),
    ];
  },
  { executors: ['process'] },
);

/** Waits until another requester is there. */
async function killed(cluster: Cluster, job: string): Promise<number> {
  const pid = requesterPid(cluster);
  const ms = await freed(cluster, job, (reader) => {
    pause(reader);
    end(pid);
  });
  await until('another requester', MOST_MS, async () =>
    requesterPid(cluster) === pid ? undefined : true,
  );
  return ms;
}

interface Reader {
  readonly pid?: number | undefined;
}

/** Ms from the deed until the node serves no stream any more. */
async function freed(
  cluster: Cluster,
  job: string,
  deed: (reader: Reader) => void,
): Promise<number> {
  const args = [fileURLToPath(new URL('../dist/limpet.js', import.meta.url)), 'job', 'logs', '-f'];
  const env = { ...process.env, LIMPET_DATA: cluster.folder };
  const reader = spawn(process.execPath, [...args, job], { env, stdio: ['ignore', 'pipe', 2] });
  let reads = false;
  reader.stdout?.once('data', () => (reads = true));
  try {
    await until('the reader to read', MOST_MS, async () => {
      if (reader.exitCode !== null) throw new Error(`it ended with ${reader.exitCode}`);
      return reads ? true : undefined;
    });
    await streams(cluster, 1);
    const from = performance.now();
    deed(reader);
    await streams(cluster, 0);
    return performance.now() - from;
  } finally {
    reader.kill('SIGKILL');
    await streams(cluster, 0);
  }
}

async function streams(cluster: Cluster, count: number): Promise<void> {
  await until(`${count} streams`, MOST_MS, async () =>
    (await cluster.status()).streams === count ? true : undefined,
  );
}

/** It would come back. */
function pause({ pid }: Reader): void {
  if (pid !== undefined) process.kill(pid, 'SIGSTOP');
}

function end(pid: number | undefined): void {
  if (pid === undefined) throw new Error('it was not started');
  process.kill(pid, 'SIGKILL');
}

function requesterPid({ folder }: Cluster): number {
  return JSON.parse(readFileSync(join(folder, 'requester', 'endpoint.json'), 'utf8')).pid;
}
