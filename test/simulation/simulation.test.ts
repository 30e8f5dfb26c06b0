/**
 * Thousands of interleavings in memory: the real agent and the real requester over a simulated host, its plugins, a broker
 * and a clock, with crashes at every crash point. Deterministic: `LIMPET_SEED=<seed>` plays a failing batch again.
 */
import fc from 'fast-check';
import t from 'tap';
import { CRASH_POINTS, type CrashPoint } from '../../core/crash-points.ts';
import { Cluster } from './cluster.ts';
import { Coverage } from './crashes.ts';
import { play, script, type Script } from './script.ts';
import { verdict } from './verdict.ts';

/** A batch is what one seed makes. */
const BATCH = 50;
/** As many batches as fit, but never fewer than this: a slow machine takes longer. */
const LEAST_BATCHES = 4;
const TIME_MS = 35_000;
const SHRINK_MS = 30_000;
const DAY_S = 86_400;

t.setTimeout(900_000);

const coverage = new Coverage();
const seed = Number(process.env['LIMPET_SEED'] ?? Math.floor(Date.now() / 1000) % DAY_S);

async function live(given: Script): Promise<Cluster> {
  const cluster = new Cluster(coverage, given.seed);
  await play(cluster, given);
  const found = verdict(cluster, await cluster.rest());
  if (found.length > 0) throw new Error(found.join('\n'));
  return cluster;
}

/** A day in the life of one point: plugins start anew, work runs to its end and is stopped, and the point is passed. */
function tour(point: CrashPoint): Script {
  const short: Script['first']['runs'] = [{ afterMs: 400, code: 0, termMs: 5 }];
  const long: Script['first']['runs'] = [{ afterMs: 20_000, code: 0, termMs: 5 }];
  const batch = { type: 'submit', kind: 'batch', count: 2, restarts: 0 } as const;
  const submit = { ...batch, timeoutS: undefined };
  const first: Script['first'] = { ...submit, executor: 'held', runs: short };
  const steps: Script['steps'] = [
    { step: { type: 'arm', point, passage: 1, awayMs: 300 }, thenMs: 0 },
    { step: { type: 'kill', who: 'held', awayMs: 300 }, thenMs: 2_000 },
    { step: { ...submit, executor: 'boxed', runs: short }, thenMs: 2_000 },
    { step: { ...submit, executor: 'held', runs: long }, thenMs: 300 },
    { step: { type: 'stop-job', which: 2 }, thenMs: 2_000 },
  ];
  return { seed: 0, first, steps };
}

t.test('a crash at each point of the list leaves every promise kept', async (t) => {
  for (const point of CRASH_POINTS) {
    await t.resolves(live(tour(point)), point);
    t.ok((coverage.crashed.get(point) ?? 0) > 0, `${point} is reached`);
  }
});

t.test('whatever happens in whatever order, every promise is kept', async (t) => {
  const until = performance.now() + TIME_MS;
  let runs = 0;
  for (let batch = 0; batch < LEAST_BATCHES || performance.now() < until; batch++) {
    const result = await fc.check(
      fc.asyncProperty(script, async (given) => void (await live(given))),
      {
        seed: seed + batch,
        numRuns: BATCH,
        interruptAfterTimeLimit: SHRINK_MS,
        markInterruptAsFailure: false,
      },
    );
    runs += result.numRuns;
    if (!result.failed) continue;
    t.comment(`LIMPET_SEED=${seed + batch} plays this again`);
    t.fail((fc.defaultReportMessage(result) ?? '').slice(0, 6_000), { seed: seed + batch });
    if (result.errorInstance instanceof Error) t.comment(result.errorInstance.message);
    return;
  }
  t.comment(`${runs} scripts from LIMPET_SEED=${seed}`);
  t.same(coverage.missing, [], 'every crash point has ended a process');
});

t.test('the same seed gives the same history', async (t) => {
  for (const given of fc.sample(script, { seed, numRuns: 5 })) {
    const one = await live(given);
    const other = await live(given);
    t.same(one.ledger.runs, other.ledger.runs);
    t.equal(one.clock.now(), other.clock.now());
    t.same(one.disks.agent.read(''), other.disks.agent.read(''));
    t.same(one.disks.requester.read(''), other.disks.requester.read(''));
  }
});
