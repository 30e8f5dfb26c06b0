/**
 * The rules of handing a run over to a second instance on the same folders while the first lives, as an upgrade does.
 *
 *   recovery/release          Release twice, Recover by the second twice     running, supervised by the second, as it was
 *   recovery/release-back     and back again                                 supervised by the first
 *   recovery/release-unknown  Release of what never was, and of an ended     OK, or NOT_FOUND for the unknown one
 *   recovery/release-end      handed over, then the run ends                 the second tells the end, wakes its host, and keeps it
 *   recovery/one-writer       handed over to and fro while it prints         each byte of the log once
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { background } from './background.ts';
import { demandEqual, endText, phaseText, statusOf } from './expect.ts';
import { ended, launch, logged, recover, status, stop } from './steps.ts';
import { demandTicks } from './ticks.ts';
import { Violation, type Plugin, type Rule, type Spec } from './types.ts';
import { until } from './wait.ts';
import { ticking } from './work.ts';

const NEWS_MS = 15_000;
const HANDOVERS = 4;
const BETWEEN_MS = 300;

async function release({ calls }: Plugin, { key }: Pick<Spec, 'key'>): Promise<void> {
  await calls.release({ key });
}

/** As an agent does it: both may be repeated. */
async function handOver(run: Spec, from: Plugin, to: Plugin): Promise<void> {
  await release(from, run);
  await release(from, run);
  for (let time = 0; time < 2; time += 1) {
    const found = await recover(to, run);
    demandEqual('phase by Recover', phaseText(found), 'running');
    demandEqual('supervised by the second instance', found.supervised, true);
  }
}

const released: Rule = {
  id: 'recovery/release',
  title: 'Release and Recover, each repeated, give a live run to a second instance',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const before = await status(bench.plugin, run);
    const second = await bench.spawn();
    await handOver(run, bench.plugin, second);
    const after = await status(second, run);
    demandEqual('started_at_ms', after.startedAtMs, before.startedAtMs);
    await release(bench.plugin, run);
    demandEqual('phase after one more Release', phaseText(await status(second, run)), 'running');
    demandTicks((await logged(second, run, 'tick 5\n')).stdout);
  },
};

const back: Rule = {
  id: 'recovery/release-back',
  title: 'A run that was handed over can be handed back',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const second = await bench.spawn();
    await handOver(run, bench.plugin, second);
    await handOver(run, second, bench.plugin);
    await second.kill9();
    demandEqual('phase', phaseText(await status(bench.plugin, run)), 'running');
    demandTicks((await logged(bench.plugin, run, 'tick 5\n')).stdout);
  },
};

const nothing: Rule = {
  id: 'recovery/release-unknown',
  title: 'Release of an ended run is OK; of a run that never was it is OK or NOT_FOUND',
  needs: ['fails'],
  async check({ plugin, spec }) {
    const { spec: run } = await launch(plugin, spec('fails'));
    await ended(plugin, run);
    await release(plugin, run);
    await release(plugin, run);
    demandEqual('its end', endText(await status(plugin, run)), 'exited, exit 7');
    const never = { key: { executionId: `e-${randomUUID()}`, run: 0 } };
    await release(plugin, never).catch((thrown: unknown) => {
      if (statusOf(thrown) !== 'NOT_FOUND')
        throw new Violation('Release of the unknown to be OK or NOT_FOUND', statusOf(thrown));
    });
  },
};

const endUnderSecond: Rule = {
  id: 'recovery/release-end',
  title: 'A run that ends after it was handed over is told and woken by the second instance',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const second = await bench.spawn();
    await handOver(run, bench.plugin, second);
    const events = background((signal) => second.calls.events({}, { signal }));
    await second.calls.info({});
    await stop(second, run);
    const seen = await ended(second, run);
    const isOfRun = () =>
      events.seen.some(({ key }) => key?.executionId === run.key.executionId) || undefined;
    await until('an event of the end', isOfRun, NEWS_MS);
    events.close();
    await bench.plugin.askToEnd();
    demandEqual('its end later', endText(await status(second, run)), endText(seen));
  },
};

const oneWriter: Rule = {
  id: 'recovery/one-writer',
  title: 'While a run is handed to and fro each byte of its log is written once',
  needs: ['long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    let [owner, other] = [bench.plugin, await bench.spawn()];
    for (let time = 0; time < HANDOVERS; time += 1) {
      await handOver(run, owner, other);
      [owner, other] = [other, owner];
      await delay(BETWEEN_MS);
    }
    const { stdout } = await logged(owner, run, `tick ${HANDOVERS * 2 + 2}\n`);
    demandTicks(stdout);
  },
};

export const handoverRules: readonly Rule[] = [released, back, nothing, endUnderSecond, oneWriter];
