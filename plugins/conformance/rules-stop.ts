/**
 * The rules of Stop.
 *
 *   rule              done                                              expected
 *   stop/term         Stop of `long`, grace 30 s                        it ends long before the grace is over
 *   stop/kill         Stop of `stubborn`, grace 3 s                     it runs on for the grace, then it is killed
 *   stop/at-once      Stop with a grace of 30 s                         the answer comes within 5 s
 *   stop/repeated     Stop, again, and after the end                    OK each time; the outcome stays the first one's
 *   stop/nearer       Stop of `stubborn`, grace 60 s, then grace 1 s    killed soon; the outcome is the first one's
 *   stop/not-later    Stop of `stubborn`, grace 2 s, then grace 60 s    killed as if the second had not come
 *   stop/unknown      Stop of what was never there                      NOT_FOUND
 *   stop/outcome      Stop by `stop`, another by `limit`                outcome by that, with the reason
 *   stop/after-death  held: Stop, kill -9 of the plugin at once         the run is ended all the same, with no plugin alive
 *   stop/at-return    not held: the same                                the run is ended when a plugin is back
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Phase } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual, demandStatus, phaseText, stateText } from './expect.ts';
import { ended, recover, status, stop } from './steps.ts';
import type { Bench, Rule } from './types.ts';
import { withoutPlugin } from './without-plugin.ts';
import { lasting, onlyUnheld, ticking, withRun, withTicks } from './work.ts';

/** What an end may take beyond its time, on a busy machine. */
const SLACK_MS = 15_000;
/** How far two readings of the clock may be apart. */
const CLOCK_MS = 500;
const REASON = 'asked by the suite';

const term: Rule = {
  id: 'stop/term',
  title: 'Stop ends work that obeys TERM before the grace is over',
  needs: ['long'],
  shares: true,
  async check(bench) {
    const { plugin } = bench;
    await withRun(plugin, bench.spec('long'), async (run) => {
      await stop(plugin, run, { graceMs: 60_000 });
      await ended(plugin, run, SLACK_MS);
    });
  },
};

const kill: Rule = {
  id: 'stop/kill',
  title: 'Stop leaves work that ignores TERM its grace, then kills it',
  needs: ['stubborn'],
  shares: true,
  check: (bench) =>
    withTicks(bench, { sample: 'stubborn' }, async (run) => {
      const { plugin } = bench;
      const graceMs = 3000;
      const asked = Date.now();
      await stop(plugin, run, { graceMs });
      await delay(graceMs / 3);
      const seen = await status(plugin, run);
      // On a busy machine the answer may come too late to say anything; the time of the end says it too.
      const isEarly = Date.now() - asked < graceMs;
      if (isEarly) demandEqual('within the grace: phase', phaseText(seen), 'running');
      const end = await ended(plugin, run, graceMs + SLACK_MS);
      const after = Number(end.finishedAtMs) - asked;
      demand(after >= graceMs - CLOCK_MS, `an end ${graceMs} ms after the order`, `${after} ms`);
      demandEqual('outcome by', end.outcome?.by, 'stop');
    }),
};

const atOnce: Rule = {
  id: 'stop/at-once',
  title: 'Stop answers at once, not when the run has ended',
  needs: ['long'],
  shares: true,
  check: (bench) =>
    withTicks(bench, { sample: lasting(bench) }, async ({ key }) => {
      const asked = performance.now();
      const order = { key, graceMs: 30_000, reason: REASON, by: 'stop' };
      await bench.plugin.calls.stop(order, { deadlineMs: 30_000 });
      const ms = Math.round(performance.now() - asked);
      demand(ms < 5000, 'an answer within 5 s', `${ms} ms`);
    }),
};

const repeated: Rule = {
  id: 'stop/repeated',
  title: 'Stop may be repeated, also after the end, and changes no outcome then',
  needs: ['long'],
  shares: true,
  async check(bench) {
    const { plugin } = bench;
    await withRun(plugin, bench.spec('long'), async (run) => {
      await stop(plugin, run);
      await stop(plugin, run);
      const first = await ended(plugin, run, SLACK_MS);
      await stop(plugin, run, { reason: 'too late' });
      const after = await status(plugin, run);
      demandEqual('state after a Stop that came too late:', stateText(after), stateText(first));
    });
  },
};

/** Two orders with these graces; resolves at the end, which has to come by the shorter one. */
async function stoppedTwice(bench: Bench, graces: readonly [number, number]): Promise<void> {
  await withTicks(bench, { sample: 'stubborn' }, async (run) => {
    const { plugin } = bench;
    const [first, second] = graces;
    await stop(plugin, run, { graceMs: first, reason: 'the first order' });
    await stop(plugin, run, { graceMs: second, reason: 'the second order' });
    const end = await ended(plugin, run, Math.min(...graces) + SLACK_MS);
    demandEqual('outcome by', end.outcome?.by, 'stop');
    demandEqual('outcome reason', end.outcome?.reason, 'the first order');
  });
}

const nearer: Rule = {
  id: 'stop/nearer',
  title: 'A later Stop with a shorter grace brings the KILL nearer',
  needs: ['stubborn'],
  shares: true,
  check: (bench) => stoppedTwice(bench, [60_000, 1000]),
};

const notLater: Rule = {
  id: 'stop/not-later',
  title: 'A later Stop with a longer grace does not put the KILL off',
  needs: ['stubborn'],
  shares: true,
  check: (bench) => stoppedTwice(bench, [2000, 60_000]),
};

const unknown: Rule = {
  id: 'stop/unknown',
  title: 'Stop of a run that was never there answers NOT_FOUND',
  needs: ['long'],
  shares: true,
  async check(bench) {
    const stopped = stop(bench.plugin, bench.spec('long'));
    await demandStatus('Stop of an unknown run', 'NOT_FOUND', stopped);
  },
};

const outcome: Rule = {
  id: 'stop/outcome',
  title: 'The outcome of a stopped run says who ended it (stop or limit) and why',
  needs: ['long'],
  shares: true,
  async check(bench) {
    const { plugin } = bench;
    for (const by of ['stop', 'limit'])
      await withRun(plugin, bench.spec('long'), async (run) => {
        const reason = `${by} of the suite`;
        await plugin.calls.stop({ key: run.key, graceMs: 2000, reason, by });
        const end = await ended(plugin, run, SLACK_MS);
        demandEqual('outcome by', end.outcome?.by, by);
        demandEqual('outcome reason', end.outcome?.reason, reason);
      });
  },
};

/** Stop, then kill -9: the order must be safe before Stop answers. */
async function stopAndDie(bench: Bench) {
  const run = await ticking(bench, lasting(bench));
  await stop(bench.plugin, run, { graceMs: 2000 });
  await bench.plugin.kill9();
  return run;
}

const afterDeath: Rule = {
  id: 'stop/after-death',
  title: 'An accepted Stop is carried out to the KILL with no plugin alive',
  needs: ['held', 'long'],
  async check(bench) {
    const run = await stopAndDie(bench);
    await withoutPlugin(bench, 2000 + 6000);
    const before = Date.now();
    const next = await bench.spawn();
    const seen = await recover(next, run);
    demandEqual('phase when a plugin is back', phaseText(seen), 'exited');
    demandEqual('outcome by', seen.outcome?.by, 'stop');
    const late = Number(seen.finishedAtMs) - before;
    demand(late <= 0, 'an end before the plugin was back', `${late} ms after that`);
  },
};

const atReturn: Rule = {
  id: 'stop/at-return',
  title: 'An accepted Stop is carried out when a plugin is back',
  needs: ['long'],
  async check(bench) {
    onlyUnheld(bench);
    const run = await stopAndDie(bench);
    const next = await bench.spawn();
    const seen = await recover(next, run);
    const end = seen.phase === Phase.EXITED ? seen : await ended(next, run, SLACK_MS);
    demandEqual('outcome by', end.outcome?.by, 'stop');
    demandEqual('outcome reason', end.outcome?.reason, REASON);
  },
};

export const stopRules: readonly Rule[] = [
  ...[term, kill, atOnce, repeated, nearer, notLater, unknown, outcome],
  ...[afterDeath, atReturn],
];
