import fc from 'fast-check';
import t from 'tap';
import { decide, type Decision } from '../../core/execution/decide.ts';
import { RUN_PHASES, type ObservedRun } from '../../core/execution/observed.ts';
import { EXECUTION_STATES, isTerminal } from '../../core/execution/states.ts';
import { observed, record } from '../kit/records.ts';

const NOW = 10_000;

const observedRun: fc.Arbitrary<ObservedRun> = fc
  .record({
    run: fc.integer({ min: 0, max: 2 }),
    phase: fc.constantFrom(...RUN_PHASES),
    marked: fc.boolean(),
    sameBoot: fc.boolean(),
    ours: fc.boolean(),
    finishedAt: fc.constantFrom(4_000, 9_000),
    startedAt: fc.constantFrom(2_000, 3_000),
    startError: fc.option(fc.constant('no such file'), { nil: undefined }),
  })
  .map(({ startError, ...run }) =>
    observed({
      ...run,
      ...(startError === undefined ? {} : { startError }),
      ...(run.phase === 'exited' ? { outcome: { by: 'exit', code: 0, reason: '' } as const } : {}),
    }),
  );

const stored = fc
  .record({
    state: fc.constantFrom(...EXECUTION_STATES),
    run: fc.integer({ min: 0, max: 1 }),
    stopped: fc.boolean(),
    deadlineAt: fc.constantFrom(undefined, 5_000, 50_000),
    kind: fc.constantFrom('batch', 'ops', 'service', 'daemon'),
  })
  .map(({ state, run, stopped, deadlineAt, kind }) =>
    record(
      {
        state,
        run,
        startedAt: 2_000,
        ...(stopped ? { stop: { by: 'stop', reason: 'told' } as const } : {}),
      },
      { kind, ...(deadlineAt === undefined ? {} : { deadlineAt }) },
    ),
  );

const situation = fc.record({
  record: fc.option(stored, { nil: undefined, freq: 8 }),
  observed: fc.uniqueArray(observedRun, { selector: (run) => run.run, maxLength: 3 }),
  removingTooLong: fc.boolean(),
});

const seen = new Map<number, number>();

t.test(
  'every situation meets exactly one rule, with a sentence why, and every rule fires',
  async (t) => {
    fc.assert(
      fc.property(situation, (s) => {
        const decision = decide({ ...s, now: NOW });
        seen.set(decision.rule, (seen.get(decision.rule) ?? 0) + 1);
        return decision.why.length > 5 && decision.rule >= 1 && decision.rule <= 14;
      }),
      { numRuns: 20_000, seed: 42 },
    );
    t.same(
      [...seen.keys()].sort((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    );
  },
);

function always(
  name: string,
  holds: (s: Parameters<typeof decide>[0], d: Decision) => boolean,
): void {
  t.test(name, async (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(situation, (s) => holds({ ...s, now: NOW }, decide({ ...s, now: NOW }))),
        { numRuns: 5_000 },
      ),
    );
  });
}

const STARTS = ['start-created', 'resume', 'next-run'];

always('nothing is started while a run of ours is alive or cannot be seen', (s, d) => {
  const risky = s.observed.some(
    (r) => r.ours && ['running', 'paused', 'unobservable'].includes(r.phase),
  );
  return !risky || !STARTS.includes(d.action.type);
});

always('a run that has ended or is marked is never started again', (s, d) => {
  if (d.action.type !== 'start-created' && d.action.type !== 'resume') return true;
  const run = Math.max(
    s.record?.run ?? 0,
    ...s.observed.filter((r) => r.ours && r.phase !== 'absent').map((r) => r.run),
  );
  const current = s.observed.find((r) => r.ours && r.run === run);
  return current?.phase !== 'exited' && !(current?.marked === true && current.phase === 'absent');
});

always(
  'without a record nothing is stopped, removed or started',
  (s, d) => s.record !== undefined || ['leave', 'wait', 'import'].includes(d.action.type),
);

always('what is not ours changes nothing', (s, d) => {
  const ours = s.observed.filter((r) => r.ours);
  return JSON.stringify(decide({ ...s, observed: ours })) === JSON.stringify(d);
});

always('a terminal state stays: only leftovers are stopped and removed', (s, d) => {
  if (s.record === undefined || !isTerminal(s.record.state)) return true;
  const newer = s.observed.some(
    (r) => r.ours && r.phase !== 'absent' && r.run > (s.record?.run ?? 0),
  );
  return newer || ['wait', 'stop-leftover', 'remove-leftovers', 'done'].includes(d.action.type);
});
