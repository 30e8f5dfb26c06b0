import t from 'tap';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { transition } from '../../core/execution/transition.ts';
import { parsePlacement } from '../../wire/placement.ts';
import { placement, record } from '../kit/records.ts';

function after(start: ExecutionRecord, ...events: ExecutionEvent[]): ExecutionRecord {
  return events.reduce((at, event) => {
    const result = transition(at, event, 5_000);
    return result.type === 'changed' ? result.record : at;
  }, start);
}

const toRunning: ExecutionEvent[] = [
  { type: 'admit' },
  { type: 'prepared', digest: 'd' },
  { type: 'started', run: 0, startedAt: 2_000, handle: 'h' },
];
const exit = (code: number): ExecutionEvent => ({
  type: 'exited',
  run: 0,
  outcome: { by: 'exit', code, reason: '' },
  finishedAt: 3_000,
});
const published: ExecutionEvent = { type: 'published', output: { stdout: '', stderr: '' } };

t.test('a batch run that exits with 0 is published, then completed', async (t) => {
  const done = after(record(), ...toRunning, exit(0), published);
  t.equal(done.state, 'completed');
  t.equal(done.finishedAt, 3_000);
  t.equal(done.revision, 5);
});

t.test('any other exit code fails a batch run and keeps the code', async (t) => {
  const done = after(record(), ...toRunning, exit(7), published);
  t.equal(done.state, 'failed');
  t.same(done.outcome, { by: 'exit', code: 7, reason: '' });
});

t.test('a stopped run is cancelled under the first reason, with its true code', async (t) => {
  const stop = (reason: string): ExecutionEvent => ({ type: 'stop', by: 'stop', reason });
  const killed: ExecutionEvent = {
    type: 'exited',
    run: 0,
    outcome: { by: 'signal', code: 137, reason: 'SIGKILL' },
    finishedAt: 3_000,
  };
  const done = after(record(), ...toRunning, stop('first'), stop('second'), killed, published);
  t.equal(done.state, 'cancelled');
  t.same(done.outcome, { by: 'stop', reason: 'first', code: 137 });
});

t.test('work that ended before its deadline is done, however late its end is seen', async (t) => {
  const late: ExecutionEvent = { type: 'stop', by: 'limit', reason: 'deadline' };
  const inTime = record({}, { deadlineAt: 4_000 });
  t.equal(after(inTime, ...toRunning, late, exit(0), published).state, 'completed');
  const tooLate = after(record({}, { deadlineAt: 2_500 }), ...toRunning, late, exit(0), published);
  t.same(tooLate.outcome, { by: 'limit', reason: 'deadline', code: 0 });
});

t.test('work that never ran is cancelled at once', async (t) => {
  const done = after(
    record(),
    { type: 'admit' },
    { type: 'stop', by: 'stop', reason: 'not wanted' },
  );
  t.equal(done.state, 'cancelled');
  t.same(done.outcome, { by: 'stop', reason: 'not wanted' });
});

t.test('work that is stopped between two runs keeps code and end of the last one', async (t) => {
  const resting = after(record({}, { kind: 'service' }), ...toRunning, exit(3));
  const { finishedAt } = resting;
  for (const [by, reason, end] of [
    ['stop', 'not wanted', 'cancelled'],
    ['limit', 'lease', 'cancelled'],
    ['limit', 'deadline', 'failed'],
  ] as const) {
    const stopped = transition(resting, { type: 'stop', by, reason }, 60_000);
    if (stopped.type === 'ignored') throw new Error(stopped.reason);
    t.match(stopped.cause, 'run 0 had already ended: exit 3');
    const done = after(stopped.record, published);
    t.match(done, { state: end, outcome: { by, reason, code: 3 }, finishedAt, run: 0 });
  }
});

t.test(
  'a service is started again whatever its code, as a new run without the old handle',
  async (t) => {
    const resting = after(record({}, { kind: 'service' }), ...toRunning, exit(0));
    t.equal(resting.state, 'restarting');
    t.equal(resting.nextAt, 6_000);
    const again = after(resting, { type: 'restart-due' });
    t.equal(again.state, 'starting');
    t.equal(again.run, 1);
    t.notOk('handle' in again);
    t.notOk('outcome' in again);
  },
);

t.test('a lost run is charged to its own budget', async (t) => {
  const resting = after(record({}, { kind: 'daemon' }), ...toRunning, {
    type: 'lost',
    reason: 'interrupted',
  });
  t.equal(resting.lostRestarts, 1);
  t.equal(resting.failureRestarts, 0);
});

t.test('a deadline ends a service for good', async (t) => {
  const outcome = { by: 'limit', reason: 'deadline', code: 137 } as const;
  const done = after(
    record({}, { kind: 'service' }),
    ...toRunning,
    { type: 'exited', run: 0, outcome, finishedAt: 3_000 },
    published,
  );
  t.equal(done.state, 'failed');
});

t.test('what does not fit is ignored with a reason, never thrown', async (t) => {
  const result = transition(record({ state: 'completed' }), exit(1), 1);
  t.equal(result.type, 'ignored');
  t.match(result, { reason: /'exited' means nothing in state completed/ });
});

t.test('the same news twice changes nothing', async (t) => {
  const running = after(record(), ...toRunning);
  const again = transition(
    running,
    { type: 'started', run: 0, startedAt: 2_000, handle: 'h' },
    9_000,
  );
  t.equal(again.type, 'ignored');
});

t.test('a start outside of us is adopted and named in the history', async (t) => {
  const running = after(record(), ...toRunning);
  const result = transition(running, { type: 'started', run: 0, startedAt: 2_500 }, 9_000);
  t.match(result, { type: 'changed', cause: /^restarted-outside/, record: { startedAt: 2_500 } });
});

function failing(run: number, startedAt: number, finishedAt: number): ExecutionEvent[] {
  const outcome = { by: 'exit', code: 1, reason: '' } as const;
  return [
    { type: 'started', run, startedAt },
    { type: 'exited', run, outcome, finishedAt },
  ];
}

t.test('a batch run that fails is tried again as often as its job says, and no more', async (t) => {
  const restart = { attempts: 2, delayMs: 1_000, maxDelayMs: 60_000, resetAfterMs: 300_000 };
  const first = after(record({}, { restart }), ...toRunning, exit(7));
  t.match(first, { state: 'restarting', failureRestarts: 1, nextAt: 6_000 });
  const second = after(first, { type: 'restart-due' }, ...failing(1, 4_000, 4_500));
  t.match(second, { state: 'restarting', failureRestarts: 2, nextAt: 7_000 });
  const third = after(second, { type: 'restart-due' }, ...failing(2, 4_000, 4_500), published);
  t.match(third, { state: 'failed', run: 2, outcome: { by: 'exit', code: 1 } });
});

t.test('a batch run that is tried again and then exits with 0 is completed', async (t) => {
  const restart = { attempts: 1, delayMs: 1_000, maxDelayMs: 60_000, resetAfterMs: 300_000 };
  const ended: ExecutionEvent = {
    type: 'exited',
    run: 1,
    outcome: { by: 'exit', code: 0, reason: '' },
    finishedAt: 4_000,
  };
  const resting = after(record({}, { restart }), ...toRunning, exit(7));
  const done = after(resting, { type: 'restart-due' }, ended, published);
  t.match(done, { state: 'completed', run: 1 });
});

t.test('a lost batch run fails, whatever attempts are left', async (t) => {
  const restart = { attempts: 5, delayMs: 1_000, maxDelayMs: 60_000, resetAfterMs: 300_000 };
  const done = after(
    record({}, { restart }),
    ...toRunning,
    { type: 'lost', reason: 'interrupted' },
    published,
  );
  t.match(done, { state: 'failed', outcome: { by: 'lost', reason: 'interrupted' } });
});

t.test('the delay doubles up to its bound, and begins anew after a run that lasted', async (t) => {
  let at = after(record({}, { kind: 'service' }), ...toRunning, exit(1));
  const delays: number[] = [(at.nextAt ?? 0) - 5_000];
  for (let run = 1; run < 9; run++) {
    const lasted = run === 8 ? 300_000 : 10;
    at = after(at, { type: 'restart-due' }, ...failing(run, 2_000, 2_000 + lasted));
    delays.push((at.nextAt ?? 0) - 5_000);
  }
  t.same(
    delays,
    [1, 2, 4, 8, 16, 32, 60, 60, 1].map((s) => s * 1_000),
  );
});

t.test('the history says which restart it is, and when', async (t) => {
  const restart = { attempts: 2, delayMs: 1_500, maxDelayMs: 60_000, resetAfterMs: 300_000 };
  const running = after(record({}, { restart }), ...toRunning);
  t.match(transition(running, exit(7), 5_000), {
    cause: 'run 0 ended: exit 7; restart 1 of 2 in 1.5 s',
  });
  const service = after(record({}, { kind: 'service' }), ...toRunning);
  t.match(transition(service, { type: 'lost', reason: 'interrupted' }, 5_000), {
    cause: 'run 0 ended: lost (interrupted); restart after a loss 1 in 1 s',
  });
});

t.test('a lease ends a service as cancelled, with its true code and no further run', async (t) => {
  const killed = (reason: string): ExecutionEvent => ({
    type: 'exited',
    run: 0,
    outcome: { by: 'limit', code: 143, reason },
    finishedAt: 3_000,
  });
  const start = record({}, { kind: 'service', leaseMs: 1_000 });
  const byHolder = after(start, ...toRunning, killed('lease'), published);
  t.match(byHolder, { state: 'cancelled', outcome: { by: 'limit', reason: 'lease', code: 143 } });
  const over: ExecutionEvent = { type: 'stop', by: 'limit', reason: 'lease' };
  const byAgent = after(start, ...toRunning, over, exit(0), published);
  t.match(byAgent, { state: 'cancelled', outcome: { by: 'limit', reason: 'lease', code: 0 } });
});

t.test('a stop between two runs ends it there, with that reason', async (t) => {
  const resting = after(record({}, { kind: 'service' }), ...toRunning, exit(1));
  const stopped = after(resting, { type: 'stop', by: 'stop', reason: 'enough' });
  t.equal(stopped.state, 'publishing');
  const done = after(stopped, { type: 'restart-due' }, published);
  t.match(done, { state: 'cancelled', run: 0, outcome: { by: 'stop', reason: 'enough' } });
});

t.test(
  'a placement carries policy and lease; what is odd in them is named with its path',
  async (t) => {
    const restart = { attempts: 2, delayMs: 1_000, maxDelayMs: 60_000, resetAfterMs: 0 };
    const sent = placement({ restart, leaseMs: 3_000 });
    t.same(parsePlacement(JSON.parse(JSON.stringify(sent))), sent);
    t.same(parsePlacement(placement()), placement(), 'and may do without');
    const odd = (over: object): unknown => ({ ...sent, ...over });
    const refusals: readonly (readonly [object, RegExp])[] = [
      [{ restart: { ...restart, delayMs: 0 } }, /^placement: restart\.delayMs: /],
      [{ restart: { ...restart, attempts: 1.5 } }, /^placement: restart\.attempts: /],
      [
        { restart: { ...restart, maxDelayMs: 500 } },
        /^placement: restart\.maxDelayMs: expected at/,
      ],
      [{ leaseMs: 'soon' }, /^placement: leaseMs: /],
    ];
    for (const [over, message] of refusals) t.throws(() => parsePlacement(odd(over)), { message });
  },
);
