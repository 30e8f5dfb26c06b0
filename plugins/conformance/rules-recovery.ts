/**
 * The rules of recovery: whatever dies, each run is found again, goes on, and was started once.
 *
 *   recovery/host-killed     the connection breaks, another comes        Status, List, Logs and Events go on where they were
 *   recovery/plugin-killed   kill -9 of the plugin, another comes        List and Recover find the live run; it was started once
 *   recovery/start-again     kill -9, another comes, Start again         already_running; it was started once
 *   recovery/ended           the run ends while no plugin is there       its true exit code, its whole output
 *   recovery/kept            an ended run, kill -9, another comes        the same end
 *   recovery/empty-handle    Recover with an empty handle                as with the handle
 *   recovery/unknown         Recover of what never was                   NOT_FOUND
 *   recovery/removed         Remove, kill -9, another comes              NOT_FOUND, and not in List
 *   ... and those of `rules-handover.ts` and `rules-renew.ts`
 */
import { randomUUID } from 'node:crypto';
import { Phase } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual, demandStatus, endText, phaseText } from './expect.ts';
import { handoverRules } from './rules-handover.ts';
import { renewRules } from './rules-renew.ts';
import { background } from './background.ts';
import {
  ended,
  launch,
  listed,
  logged,
  readLog,
  recover,
  remove,
  start,
  status,
  stop,
} from './steps.ts';
import { demandTicks } from './ticks.ts';
import type { Bench, Plugin, Rule } from './types.ts';
import { until } from './wait.ts';
import { ticking } from './work.ts';

const NEWS_MS = 15_000;

/** kill -9, then the next process on the same folders. */
async function killedAndBack(bench: Bench): Promise<Plugin> {
  await bench.plugin.kill9();
  return bench.spawn();
}

const hostKilled: Rule = {
  id: 'recovery/host-killed',
  title: 'After kill -9 of the host the next one finds run, log and events where they were',
  needs: ['long'],
  async check(bench) {
    const { plugin } = bench;
    const run = await ticking(bench, 'long');
    const before = await readLog(plugin, run);
    const follower = background((signal) =>
      plugin.calls.logs({ executionId: run.key.executionId, follow: true }, { signal }),
    );
    plugin.cut();
    follower.close();
    demandEqual('phase in List', phaseText((await listed(plugin, run)) ?? absent), 'running');
    const events = background((signal) => plugin.calls.events({}, { signal }));
    await logged(plugin, run, 'tick 3\n');
    const after = await readLog(plugin, run, { from: before.next });
    demandTicks(before.stdout + after.stdout);
    await stop(plugin, run);
    const isOfRun = () =>
      events.seen.some(({ key }) => key?.executionId === run.key.executionId) || undefined;
    await until('an event of the end', isOfRun, NEWS_MS);
    events.close();
    await ended(plugin, run);
  },
};

const absent = { phase: Phase.ABSENT };

const pluginKilled: Rule = {
  id: 'recovery/plugin-killed',
  title: 'After kill -9 of the plugin the next one lists and recovers the live run, started once',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const before = await status(bench.plugin, run);
    const next = await killedAndBack(bench);
    demandEqual('phase in List', phaseText((await listed(next, run)) ?? absent), 'running');
    const found = await recover(next, run, before.handle);
    demandEqual('phase by Recover', phaseText(found), 'running');
    demandEqual('started_at_ms', found.startedAtMs, before.startedAtMs);
    demandEqual('spec_hash', found.specHash, run.specHash);
    const { stdout } = await logged(next, run, 'tick 6\n');
    demandTicks(stdout);
  },
};

const startAgain: Rule = {
  id: 'recovery/start-again',
  title: 'Start again under the next plugin answers already_running and starts nothing',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const before = await status(bench.plugin, run);
    const next = await killedAndBack(bench);
    const { state, alreadyRunning } = await start(next, run);
    demandEqual('already_running', alreadyRunning, true);
    demandEqual('started_at_ms', state.startedAtMs, before.startedAtMs);
    const { stdout } = await logged(next, run, 'tick 5\n');
    demandTicks(stdout);
  },
};

const endedMeanwhile: Rule = {
  id: 'recovery/ended',
  title: 'A run that ends while no plugin is there is found with its exit code and its output',
  needs: ['fails', 'short'],
  async check(bench) {
    const { plugin } = bench;
    const [failing, printing] = await Promise.all([
      launch(plugin, bench.spec('fails')),
      launch(plugin, bench.spec('short')),
    ]);
    const next = await killedAndBack(bench);
    await recover(next, failing.spec);
    await recover(next, printing.spec);
    demandEqual('end', endText(await ended(next, failing.spec)), 'exited, exit 7');
    demandEqual('end', endText(await ended(next, printing.spec)), 'exited, exit 0');
    const { stdout, stderr } = await readLog(next, printing.spec, { follow: true });
    demandEqual('its stdout:', JSON.stringify(stdout), '"out\\n"');
    demandEqual('its stderr:', JSON.stringify(stderr), '"err\\n"');
  },
};

const kept: Rule = {
  id: 'recovery/kept',
  title:
    'The end of a run that was told by one plugin is told by the next, and Start starts nothing',
  needs: ['fails'],
  async check(bench) {
    const { spec: run } = await launch(bench.plugin, bench.spec('fails'));
    const before = await ended(bench.plugin, run);
    const next = await killedAndBack(bench);
    const found = await recover(next, run);
    demandEqual('its end', endText(found), endText(before));
    demandEqual('finished_at_ms', found.finishedAtMs, before.finishedAtMs);
    const { state } = await start(next, run);
    demandEqual('its end by Start', endText(state), endText(before));
  },
};

const emptyHandle: Rule = {
  id: 'recovery/empty-handle',
  title: 'Recover with an empty handle finds the same run as with its handle',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const before = await status(bench.plugin, run);
    const next = await killedAndBack(bench);
    const found = await recover(next, run, new Uint8Array());
    demandEqual('phase', phaseText(found), 'running');
    demandEqual('started_at_ms', found.startedAtMs, before.startedAtMs);
    const again = await recover(next, run, found.handle);
    demandEqual('phase with its handle', phaseText(again), 'running');
  },
};

const unknown: Rule = {
  id: 'recovery/unknown',
  title: 'Recover of a run that never was is NOT_FOUND',
  shares: true,
  async check({ plugin }) {
    const key = { executionId: `e-${randomUUID()}`, run: 0 };
    await demandStatus('Recover', 'NOT_FOUND', recover(plugin, { key }));
  },
};

const removed: Rule = {
  id: 'recovery/removed',
  title: 'What was removed stays removed under the next plugin',
  needs: ['short', 'long'],
  async check(bench) {
    const live = await ticking(bench, 'long');
    const { spec: over } = await launch(bench.plugin, bench.spec('short'));
    await ended(bench.plugin, over);
    await remove(bench.plugin, live);
    await remove(bench.plugin, over);
    const next = await killedAndBack(bench);
    for (const run of [live, over]) {
      await demandStatus('Recover', 'NOT_FOUND', recover(next, run));
      demand((await listed(next, run)) === undefined, 'no such run in List', 'it is there');
    }
  },
};

export const recoveryRules: readonly Rule[] = [
  ...[hostKilled, pluginKilled, startAgain, endedMeanwhile, kept, emptyHandle, unknown, removed],
  ...handoverRules,
  ...renewRules,
];
