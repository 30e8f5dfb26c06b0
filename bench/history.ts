/** Whether the agent's start grows with what has long ended: an empty store, and one of 100,000 finished executions. */
import { join } from 'node:path';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { openStore } from '../adapters/store/level-store.ts';
import type { StoreOp } from '../adapters/store/port.ts';
import { SCHEMA_VERSION } from '../agent/state.ts';
import { newRecord, type ExecutionRecord } from '../core/execution/record.ts';
import { parseExecutionId, parseJobId } from '../core/ids.ts';
import { placement } from '../test/kit/records.ts';
import type { Cluster } from './kit/cluster.ts';
import { figure } from './kit/figure.ts';
import { measure, say } from './kit/measure.ts';

const FINISHED = 100_000;
const BATCH = 2_000;
const ROUNDS = 9;
const HOUR_MS = 3_600_000;

await measure(
  async (cluster) => {
    const empty = await starts(cluster);
    await cluster.killAgent();
    say(`writing ${FINISHED} finished executions`);
    await fill(join(cluster.agentFolder, 'store'));
    await cluster.startAgent();
    const full = await starts(cluster);
    return [
      figure('agent start, empty store', { unit: 'ms', values: empty }),
      figure(`agent start, ${FINISHED} finished executions`, { unit: 'ms', values: full }),
    ];
  },
  { executors: ['wasm'], agent: { keepFinishedCount: 2 * FINISHED } },
);

async function starts(cluster: Cluster): Promise<number[]> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await cluster.killAgent();
    values.push((await cluster.startAgent()).readyMs ?? Number.NaN);
  }
  return values;
}

async function fill(folder: string): Promise<void> {
  const options = { folder, createIfMissing: false, schemaVersion: SCHEMA_VERSION };
  await using store = await openStore(options, systemClock());
  const now = Date.now();
  for (let first = 0; first < FINISHED; first += BATCH) {
    const ops = Array.from({ length: BATCH }, (_, i) => finished(first + i, now)).flat();
    await store.batch(ops);
  }
}

/** As the agent leaves one that has ended, been told and been removed. */
function finished(number: number, now: number): StoreOp[] {
  const at = now - HOUR_MS + number;
  const tail = String(number).padStart(12, '0');
  const id = `e-00000000-0000-7000-8000-${tail}`;
  const record: ExecutionRecord = {
    ...newRecord(
      placement({
        executionId: parseExecutionId(id),
        jobId: parseJobId(`j-00000000-0000-7000-8000-${tail}`),
        jobName: `job-${number}`,
      }),
      at,
    ),
    state: 'completed',
    revision: 5,
    outcome: { by: 'exit', code: 0, reason: '' },
    finishedAt: at,
    removed: true,
  };
  const event = { revision: 5, at, from: 'publishing', to: 'completed', cause: 'finished' };
  return [
    { type: 'put', key: `ex/${id}`, value: record },
    { type: 'put', key: `ev/${id}/00000005`, value: event },
    { type: 'put', key: `end/${String(at).padStart(15, '0')}/${id}`, value: 1 },
  ];
}
