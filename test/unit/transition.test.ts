import t from 'tap';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { transition } from '../../core/execution/transition.ts';
import { record } from '../kit/records.ts';

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

t.test('work that never ran is cancelled at once', async (t) => {
  const done = after(
    record(),
    { type: 'admit' },
    { type: 'stop', by: 'stop', reason: 'not wanted' },
  );
  t.equal(done.state, 'cancelled');
  t.same(done.outcome, { by: 'stop', reason: 'not wanted' });
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
