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
import { ended, recover } from './steps.ts';
import type { Rule } from './types.ts';
import { withoutPlugin } from './without-plugin.ts';
import { lasting, onlyUnheld, ticking, withTicks } from './work.ts';

/** From now to the deadline; the run has to be started and to print by then. */
const AHEAD_MS = 4000;
const GRACE_MS = 2000;
/** A second of a clock that counts whole ones, and the same for who looks once a second. */
const EARLY_MS = 1500;
const SLACK_MS = 15_000;

function soon() {
  return { deadlineMs: Date.now() + AHEAD_MS, stopGraceMs: GRACE_MS };
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
  async check(bench) {
    const { plugin } = bench;
    const times = soon();
    await withTicks(bench, { sample: 'long', ...times }, async (run) => {
      plugin.cut();
      await delay(times.deadlineMs + 500 - Date.now());
      demandLimit(await ended(plugin, run, SLACK_MS), times.deadlineMs);
    });
  },
};

const stubborn: Rule = {
  id: 'deadline/stubborn',
  title: 'Work that ignores TERM is killed when the grace after its deadline is over',
  needs: ['stubborn'],
  shares: true,
  async check(bench) {
    const times = soon();
    await withTicks(bench, { sample: 'stubborn', ...times }, async (run) => {
      const withinMs = times.deadlineMs + GRACE_MS + SLACK_MS - Date.now();
      demandLimit(await ended(bench.plugin, run, withinMs), times.deadlineMs);
    });
  },
};

const noPlugin: Rule = {
  id: 'deadline/no-plugin',
  title: 'A run ends by limit at its deadline, KILL included, with no plugin alive',
  needs: ['held', 'long'],
  async check(bench) {
    const times = soon();
    const run = await ticking(bench, lasting(bench), times);
    await bench.plugin.kill9();
    await withoutPlugin(bench, times.deadlineMs + GRACE_MS + 6000 - Date.now());
    const before = Date.now();
    const seen = await recover(await bench.spawn(), run);
    demandEqual('phase when a plugin is back', phaseText(seen), 'exited');
    demandLimit(seen, times.deadlineMs);
    const late = Number(seen.finishedAtMs) - before;
    demand(late <= 0, 'an end before the plugin was back', `${late} ms after that`);
  },
};

const atReturn: Rule = {
  id: 'deadline/at-return',
  title: 'A run whose deadline has passed without a plugin ends by limit when one is back',
  needs: ['long'],
  async check(bench) {
    onlyUnheld(bench);
    const times = soon();
    const run = await ticking(bench, 'long', times);
    await bench.plugin.kill9();
    await delay(times.deadlineMs + 500 - Date.now());
    const next = await bench.spawn();
    const seen = await recover(next, run);
    const end = seen.phase === Phase.EXITED ? seen : await ended(next, run, SLACK_MS);
    demandLimit(end, times.deadlineMs);
  },
};

export const deadlineRules: readonly Rule[] = [noClient, stubborn, noPlugin, atReturn];
