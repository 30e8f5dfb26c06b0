/** The requester's store is set back, so that only the nodes can tell: what takes so many steps that chance rarely finds it. */
import t from 'tap';
import type { Cluster } from './cluster.ts';
import { Coverage } from './crashes.ts';
import { live } from './live.ts';
import type { Script } from './script.ts';

type Submit = Script['first'];
type Steps = Script['steps'];
type Step = Steps[number]['step'];

const SOON_MS = 30_000;
const FOR_GOOD_MS = 310_000;

const job = (afterMs: number, executor: Submit['executor'] = 'held'): Submit => ({
  ...{ type: 'submit', kind: 'batch', executor, count: 1, restarts: 0, timeoutS: undefined },
  runs: [{ afterMs, code: 0, termMs: 5 }],
});
const QUICK = job(50);
const DIES: Step = { type: 'kill', who: 'requester', site: 0, awayMs: 1 };

/** To what the disk was before as many steps. */
const setBack = (steps: number): Step => ({ type: 'set-back', steps, withFile: true, awayMs: 1 });

/** Each step and how long it is left alone, ms. */
const steps = (...all: readonly (readonly [Step, number])[]): Steps =>
  all.map(([step, thenMs]) => ({ step, thenMs }));

const play = (first: Submit, then: Steps, nodes: Script['nodes'] = 1): Promise<Cluster> =>
  live({ seed: 0, nodes, first, steps: then }, new Coverage());

t.test('nothing is called lost that it has just placed', async (t) => {
  await t.resolves(
    play(QUICK, steps([{ type: 'wait', ms: 7 }, 0], [setBack(1), 2], [QUICK, 0])),
    'before the first handshake',
  );
  const brokerGone = steps(
    [{ type: 'wait', ms: 7 }, 0],
    [{ type: 'broker', up: false }, 0],
    [setBack(2), 300],
    [QUICK, 30],
    [DIES, 300],
    [{ type: 'broker', up: true }, 0],
  );
  await t.resolves(play(QUICK, brokerGone), 'and it died before it, too');
});

t.test('nor when an order of before comes just before the handshake, or during it', async (t) => {
  const straight = { thereMs: 1, backMs: 1 };
  for (const thereMs of [8, 9, 10, 11, 12, 60])
    for (const lose of [{}, { lose: 'answer' as const }]) {
      const fates = [{ ...straight, thereMs }, straight, { ...straight, ...lose, thereMs: 100 }];
      const slow = steps([{ type: 'fates', fates }, 7], [setBack(1), 20], [QUICK, 0]);
      await t.resolves(play(QUICK, slow), `after ${thereMs} ms`);
    }
});

t.test('work of before is placed as soon as the node has shown all', async (t) => {
  const full = { type: 'disk', who: 'agent', site: 0 } as const;
  const engine = { type: 'engine', site: 0 } as const;
  const { witness } = await play(
    QUICK,
    steps(
      [{ ...engine, away: true }, 700],
      [job(50, 'boxed'), 30],
      [{ ...full, full: true }, 0],
      [QUICK, 30],
      [setBack(2), 300],
      [{ ...full, full: false }, 700],
      [{ ...engine, away: false }, 700],
    ),
  );
  const late = [...witness.placings.values()].filter(({ by, placedAt }) => placedAt > by.at);
  t.ok(late.some(({ by }) => by.at > 0));
  for (const { id, by, placedAt } of late) t.ok(placedAt < by.at + SOON_MS, id);
});

t.test('what is placed after a node was silent for too long has a token of its own', async (t) => {
  const gone: Step = { type: 'kill', who: 'held', site: 0, awayMs: 1 };
  const { witness } = await play(
    QUICK,
    steps(
      [gone, 0],
      [{ ...gone, site: 1 }, 30],
      [job(20_000), 30],
      [{ type: 'wait', ms: 3_000 }, 0],
      [{ type: 'kill', who: 'agent', site: 0, awayMs: FOR_GOOD_MS }, 0],
      [setBack(2), 0],
      [{ type: 'wait', ms: FOR_GOOD_MS }, 0],
    ),
    2,
  );
  const nodes = [...witness.placings.values()].slice(-2).map(({ nodeId }) => nodeId);
  t.strictSame(nodes, ['n-simulated', 'n-small'], 'placed twice, as nobody could know');
});
