/**
 * The rules of Stats, for those that claim it. What a run has used up only grows; a run that lives has memory. Processes, and
 * bytes read and written, may be 0 where nobody counts them.
 */
import { randomUUID } from 'node:crypto';
import type { StatsResponse } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { background } from './background.ts';
import { demand, demandStatus } from './expect.ts';
import type { Rule } from './types.ts';
import { until } from './wait.ts';
import { ticking } from './work.ts';

const INTERVAL_MS = 200;
const SAMPLES = 5;
const ALL_MS = 15_000;
/** Two clocks differ, and a timer may come a little early. */
const EARLY_MS = 50;

const GROWING = ['timeMs', 'cpuUsageNs', 'readBytes', 'writtenBytes'] as const;

function demandGrowing(seen: readonly StatsResponse[], name: (typeof GROWING)[number]): void {
  const values = seen.map((one) => one[name]);
  const isGrowing = values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0n));
  demand(isGrowing, `${name} that never falls`, values.join(', '));
}

export const stats: Rule = {
  id: 'streams/stats',
  title: 'Stats tells, no more often than asked, what a live run uses: CPU time that grows, memory',
  needs: ['stats', 'long'],
  async check(bench) {
    const { calls } = bench.plugin;
    const { key } = await ticking(bench, 'long');
    const began = Date.now();
    const stream = background((signal) =>
      calls.stats({ key, intervalMs: INTERVAL_MS }, { signal, deadlineMs: ALL_MS }),
    );
    const enough = () => {
      if (stream.seen.length >= SAMPLES) return true;
      throw new Error(`${stream.seen.length}, and the stream is: ${stream.state}`);
    };
    await until(`${SAMPLES} messages of Stats`, enough, ALL_MS);
    const ms = Date.now() - began;
    stream.close();
    const seen = [...stream.seen];
    const most = Math.floor((ms + EARLY_MS) / INTERVAL_MS) + 1;
    demand(seen.length <= most, `${most} messages at most in ${ms} ms`, `${seen.length}`);
    for (const name of GROWING) demandGrowing(seen, name);
    const [first] = seen;
    const late = Math.abs(Number(first?.timeMs ?? 0n) - began);
    demand(late <= ALL_MS, 'a time of now in ms', String(first?.timeMs));
    const isLiving = seen.every(({ memoryBytes }) => memoryBytes > 0n);
    demand(isLiving, 'memory of a live run above 0', '0');
  },
};

export const statsUnknown: Rule = {
  id: 'streams/stats-unknown',
  title: 'Stats of a run that never was is NOT_FOUND',
  needs: ['stats'],
  shares: true,
  async check({ plugin }) {
    const key = { executionId: `e-${randomUUID()}`, run: 0 };
    const stream = plugin.calls.stats({ key, intervalMs: INTERVAL_MS }, { deadlineMs: ALL_MS });
    const first = stream[Symbol.asyncIterator]().next();
    await demandStatus('Stats of a run that never was', 'NOT_FOUND', first);
  },
};
