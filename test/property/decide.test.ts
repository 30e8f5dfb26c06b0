import fc from 'fast-check';
import t from 'tap';
import { decide, type Decision } from '../../core/execution/decide.ts';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import { RUN_PHASES, type ObservedRun } from '../../core/execution/observed.ts';
import { EXECUTION_STATES, isTerminal } from '../../core/execution/states.ts';
import { transition } from '../../core/execution/transition.ts';
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
  leaseOver: fc.boolean(),
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
    const rules = Array.from({ length: 14 }, (_, i) => i + 1);
    for (const rule of rules) t.comment(`rule ${rule} fired ${seen.get(rule) ?? 0} times`);
    t.same(
      rules.filter((rule) => !seen.has(rule)),
      [],
      'rules that never fired',
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

always('what has ended stays ended: only leftovers are stopped and removed', (s, d) => {
  if (s.record === undefined || !isTerminal(s.record.state)) return true;
  return ['wait', 'stop-leftover', 'remove-leftovers', 'done'].includes(d.action.type);
});

always(
  'a deadline or a lease that is over ends what may still go on, unless a stop came first',
  (s, d) => {
    const { record: stored } = s;
    if (stored === undefined || !('stop' in d.action)) return true;
    const deadline = (stored.placement.deadlineAt ?? NOW) < NOW;
    const { by, reason } = d.action.stop;
    if (stored.stop !== undefined) return reason === stored.stop.reason;
    if (by === 'stop') return stored.state === 'stopping';
    return reason === (deadline ? 'deadline' : 'lease') && (deadline || s.leaseOver === true);
  },
);

/** What the observer dispatches for an action; none for those that only run an effect or wait. */
function eventsOf(d: Decision, state: string): ExecutionEvent[] {
  const { action } = d;
  switch (action.type) {
    case 'done':
      return [{ type: 'removed' }];
    case 'end-restarting':
      return [{ type: 'stop', ...action.stop }];
    case 'conclude':
      return [{ ...action, type: 'exited' }];
    case 'adopt':
      return [{ type: 'started', run: action.run.run, startedAt: 1, adopted: d.why }];
    case 'refuse':
    case 'lost':
      return [action];
    case 'stop':
      return state === 'stopping' ? [] : [{ type: 'stop', ...action.stop }];
    case 'end-unstarted':
      return state === 'stopping'
        ? [{ type: 'nothing-to-stop' }]
        : [{ type: 'stop', ...action.stop }];
    default:
      return [];
  }
}

always('every decision means something in the state that it is taken for', (s, d) => {
  if (s.record === undefined) return true;
  const first: ExecutionEvent[] = d.found === undefined ? [] : [{ type: 'found', run: d.found }];
  const then = d.found === undefined ? s.record.state : 'starting';
  let at = s.record;
  for (const event of [...first, ...eventsOf(d, then)]) {
    const result = transition(at, event, NOW);
    if (result.type === 'ignored') return false;
    at = result.record;
  }
  return true;
});

always(
  'when the store has lost something, nothing is started before the owner has answered',
  (s) => {
    const d = decide({ ...s, unconfirmed: true });
    return !STARTS.includes(d.action.type);
  },
);

always('that changes nothing else', (s, d) => {
  if (STARTS.includes(d.action.type)) return true;
  return JSON.stringify(decide({ ...s, unconfirmed: true })) === JSON.stringify(d);
});
