/**
 * The rules of the deadline, which is absolute and handed over at Start.
 *
 *   rule                 done                                                    expected
 *   deadline/no-client   deadline in 4 s, connection cut                         by limit, at that time; a client or not
 *   deadline/stubborn    the same with work that ignores TERM, grace 2 s         killed after the grace
 *   deadline/no-plugin   held: the same, kill -9 of the plugin                   ended by limit with no plugin alive
 *   deadline/at-return   not held: kill -9 of the plugin till past the deadline  ended by limit when a plugin is back
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Phase } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { RunState } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual, phaseText } from './expect.ts';
import { ended, launch, readLog, recover, remove, status } from './steps.ts';
import { Violation, type Bench, type Rule, type SampleName, type Spec } from './types.ts';
import { until } from './wait.ts';
import { withoutPlugin } from './without-plugin.ts';
import { lasting, onlyUnheld } from './work.ts';

/** From now to the deadline. On a busy machine a run may not have come to its work by then: it is tried again with more. */
const AHEAD_MS = [4000, 12_000, 30_000];
const PRINTED_MS = 40_000;
const GRACE_MS = 2000;
/** A second of a clock that counts whole ones, and the same for who looks once a second. */
const EARLY_MS = 1500;
const SLACK_MS = 15_000;

interface Bounded {
  readonly run: Spec;
  readonly deadlineMs: number;
}

/** A run that has begun to print, and whose deadline is near. */
async function tickingNearDeadline(bench: Bench, sample: SampleName): Promise<Bounded> {
  for (const aheadMs of AHEAD_MS) {
    const deadlineMs = Date.now() + aheadMs;
    const wanted = bench.spec(sample, { deadlineMs, stopGraceMs: GRACE_MS });
    const { spec: run } = await launch(bench.plugin, wanted);
    const isTicking = async () => (await readLog(bench.plugin, run)).stdout.startsWith('tick 0\n');
    const seen = await until(
      'its first line, or its end',
      async () => {
        if (await isTicking()) return 'ticking';
        return (await status(bench.plugin, run)).phase === Phase.EXITED ? 'ended' : undefined;
      },
      PRINTED_MS,
    );
    if (seen === 'ticking') return { run, deadlineMs };
    await remove(bench.plugin, run, true);
  }
  throw new Violation('work that prints before its deadline', 'none in three attempts');
}

function demandLimit(end: RunState, deadlineMs: number): void {
  demandEqual('outcome by', end.outcome?.by, 'limit');
  const early = deadlineMs - Number(end.finishedAtMs);
  demand(early <= EARLY_MS, 'an end at the deadline', `${early} ms before it`);
}

const noClient: Rule = {
  id: 'deadline/no-client',
  title: 'A run ends by limit at its deadline with no client connected',
  needs: ['long'],
  seconds: 120,
  async check(bench) {
    const { plugin } = bench;
    const { run, deadlineMs } = await tickingNearDeadline(bench, 'long');
    plugin.cut();
    await delay(Math.max(0, deadlineMs + 500 - Date.now()));
    demandLimit(await ended(plugin, run, SLACK_MS), deadlineMs);
  },
};

const stubborn: Rule = {
  id: 'deadline/stubborn',
  title: 'Work that ignores TERM is killed when the grace after its deadline is over',
  needs: ['stubborn'],
  seconds: 120,
  shares: true,
  async check(bench) {
    const { run, deadlineMs } = await tickingNearDeadline(bench, 'stubborn');
    const withinMs = deadlineMs + GRACE_MS + SLACK_MS - Date.now();
    demandLimit(await ended(bench.plugin, run, withinMs), deadlineMs);
    await remove(bench.plugin, run, true);
  },
};

const noPlugin: Rule = {
  id: 'deadline/no-plugin',
  title: 'A run ends by limit at its deadline, KILL included, with no plugin alive',
  needs: ['held', 'long'],
  seconds: 120,
  async check(bench) {
    const { run, deadlineMs } = await tickingNearDeadline(bench, lasting(bench));
    await bench.plugin.kill9();
    await withoutPlugin(bench, deadlineMs + GRACE_MS + 6000 - Date.now());
    const before = Date.now();
    const seen = await recover(await bench.spawn(), run);
    demandEqual('phase when a plugin is back', phaseText(seen), 'exited');
    demandLimit(seen, deadlineMs);
    const late = Number(seen.finishedAtMs) - before;
    demand(late <= 0, 'an end before the plugin was back', `${late} ms after that`);
  },
};

const atReturn: Rule = {
  id: 'deadline/at-return',
  title: 'A run whose deadline has passed without a plugin ends by limit when one is back',
  needs: ['long'],
  seconds: 120,
  async check(bench) {
    onlyUnheld(bench);
    const { run, deadlineMs } = await tickingNearDeadline(bench, 'long');
    await bench.plugin.kill9();
    await delay(Math.max(0, deadlineMs + 500 - Date.now()));
    const next = await bench.spawn();
    const seen = await recover(next, run);
    const end = seen.phase === Phase.EXITED ? seen : await ended(next, run, SLACK_MS);
    demandLimit(end, deadlineMs);
  },
};

export const deadlineRules: readonly Rule[] = [noClient, stubborn, noPlugin, atReturn];
