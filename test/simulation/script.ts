/** Scripts: what may happen to a simulated world, in any order and number, as fast-check makes and shrinks it. */
import fc from 'fast-check';
import { SIMULATED_POINTS } from './points.ts';

const KINDS = ['batch', 'batch', 'batch', 'service'] as const;

const plan = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 50, max: 30_000 })),
  code: fc.constantFrom(0, 0, 0, 7),
  termMs: fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: undefined }),
});

const submit = fc.record({
  type: fc.constant('submit' as const),
  kind: fc.constantFrom(...KINDS),
  executor: fc.constantFrom('held' as const, 'boxed' as const),
  runs: fc.array(plan, { minLength: 1, maxLength: 3 }),
  count: fc.constantFrom(1, 1, 2, 3),
  timeoutS: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  restarts: fc.constantFrom(0, 0, 1, 3),
});

const away = fc.constantFrom<number>(1, 20, 300, 2_000, 20_000, 70_000);
const which = fc.nat({ max: 7 });
const site = fc.nat({ max: 1 });

const fate = fc.record(
  {
    lose: fc.constantFrom('request' as const, 'answer' as const),
    thereMs: fc.constantFrom<number>(1, 2, 60, 700, 6_000),
    backMs: fc.constantFrom<number>(1, 2, 60, 6_000),
    againMs: fc.constantFrom<number>(0, 3, 200, 8_000, 40_000),
  },
  { requiredKeys: ['thereMs', 'backMs'] },
);

const wait = fc.record({
  type: fc.constant('wait' as const),
  ms: fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 40, max: 2_500 }),
    fc.integer({ min: 2_500, max: 40_000 }),
  ),
});

const setBack = (most: number) =>
  fc.record({
    type: fc.constant('set-back' as const),
    /** To what the disk was before that many steps. */
    steps: fc.integer({ min: 1, max: most }),
    /** The file beside the store goes back with it, so that only nodes can tell. */
    withFile: fc.boolean(),
    awayMs: away,
  });

const step = fc.oneof(
  { weight: 6, arbitrary: submit },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('stop-job' as const), which }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('arm' as const),
      point: fc.constantFrom(...SIMULATED_POINTS),
      passage: fc.constantFrom(1, 1, 1, 2, 3, 5),
      awayMs: away,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('kill' as const),
      who: fc.constantFrom(
        'agent' as const,
        'requester' as const,
        'held' as const,
        'boxed' as const,
      ),
      site,
      awayMs: away,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('world' as const),
      what: fc.constantFrom('lose', 'kill', 'pause', 'resume'),
      which,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('fates' as const),
      fates: fc.array(fate, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('broker' as const), up: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('engine' as const), site, away: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('disk' as const),
      who: fc.constantFrom('agent' as const, 'requester' as const),
      site,
      full: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('pace' as const),
      site,
      stepMs: fc.constantFrom(1, 40, 700),
      claimMs: fc.constantFrom(1, 100, 900),
      removeMs: fc.constantFrom(0, 500, 5_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reboot' as const), site, awayMs: away }) },
  { weight: 3, arbitrary: setBack(12) },
  { weight: 8, arbitrary: wait },
);

const thenMs = fc.constantFrom<number>(0, 0, 1, 2, 3, 7, 30, 300, 2_000);
const timed = fc.record({ step, thenMs });
const world = { seed: fc.nat(), nodes: fc.constantFrom(1, 1, 2) };

const anything = fc.record({
  ...world,
  first: submit,
  steps: fc.array(timed, { minLength: 1, maxLength: 24 }),
});

/** Work that waits, for room or for its plugin, is placed later; the copy of the disk that comes back knows it as waiting. */
const forgotten = fc
  .record({
    ...world,
    first: submit.map((one) => ({ ...one, count: 3 as const })),
    before: fc.array(timed, { maxLength: 2 }),
    pluginGone: fc.boolean(),
    waiting: fc.record({ step: submit, thenMs }),
    between: fc.array(fc.oneof(fc.record({ step: wait, thenMs }), timed), {
      minLength: 1,
      maxLength: 4,
    }),
    back: fc.record({ step: setBack(4), thenMs }),
    after: fc.array(timed, { maxLength: 6 }),
  })
  .map(({ before, pluginGone, waiting, between, back, after, ...rest }) => {
    const who = waiting.step.executor;
    const gone = {
      step: { type: 'kill' as const, who, site: 0, awayMs: 1 },
      thenMs: 30,
    };
    const steps = [...before, ...(pluginGone ? [gone] : []), waiting, ...between, back, ...after];
    return { ...rest, steps };
  });

/** Work that runs for long is stopped, and something dies on the way of that: by chance alone too few live until then. */
const stopped = fc
  .record({
    ...world,
    first: submit.map((one) => ({
      ...one,
      runs: one.runs.map((run) => ({ ...run, afterMs: 30_000 })),
    })),
    armed: fc.record({
      type: fc.constant('arm' as const),
      point: fc.constantFrom(...SIMULATED_POINTS),
      passage: fc.constantFrom(1, 1, 2),
      awayMs: away,
    }),
    runsMs: fc.constantFrom<number>(30, 300, 2_000),
    after: fc.array(timed, { maxLength: 6 }),
  })
  .map(({ armed, runsMs, after, ...rest }) => {
    const stop = { type: 'stop-job' as const, which: 0 };
    const steps = [{ step: armed, thenMs: runsMs }, { step: stop, thenMs: 300 }, ...after];
    return { ...rest, steps };
  });

export const script = fc.oneof(
  { weight: 5, arbitrary: anything },
  { weight: 2, arbitrary: forgotten },
  { weight: 1, arbitrary: stopped },
);

export type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;
export type Step = Script['steps'][number]['step'];
export type Submit = Script['first'];
