/** Whose output the log of a job is, when a partition was placed more than once. */
import t from 'tap';
import { parseExecutionId } from '../../core/ids.ts';
import { countingOf } from '../../requester/logs/counting.ts';
import type { ExecutionRecord } from '../../requester/state/records.ts';
import { aJob, aNode, applied, uuidOf } from './requester-records.ts';

const job = aJob({ n: 1, count: 2 });
const plan = {
  ...{ stops: [], jobs: [], targets: [] },
  placements: [{ job, partition: 0, attempt: 0, node: aNode({ n: 1 }), reason: '' }],
};
const [placed] = applied([job], [], { plan, now: 1, firstId: 1 }).executions;

/** One that a node has taken, as it is now. */
function one(n: number, wish: Partial<ExecutionRecord> & { readonly attempt?: number }) {
  if (placed === undefined) throw new Error('nothing was placed');
  const { attempt = 0, ...more } = wish;
  const token = { ...placed.token, attempt };
  return { ...placed, id: parseExecutionId(`e-${uuidOf(n)}`), revision: 1, token, ...more };
}

function counting(...all: readonly ExecutionRecord[]): readonly string[] {
  return countingOf(job, all).map(({ id }) => id.slice(-1));
}

t.test('the one whose result was accepted, be it the older or the newer', async (t) => {
  const of = (older: ExecutionRecord['state'], newer: ExecutionRecord['state']) =>
    counting(one(1, { state: older }), one(2, { attempt: 1, state: newer }));
  t.same(of('completed', 'cancelled'), ['1']);
  t.same(of('completed', 'running'), ['1']);
  t.same(of('cancelled', 'completed'), ['2']);
});

t.test('without a result the newest that a node has taken', async (t) => {
  const older = one(1, { state: 'running' });
  t.same(counting(older, one(2, { attempt: 1, state: 'running' })), ['2']);
  t.same(counting(older, one(2, { attempt: 1, state: 'accepted', revision: 0 })), ['1']);
  t.same(counting(older, one(2, { attempt: 1, state: 'declined' })), ['1']);
});

t.test('one of each partition, and none of another version of the job', async (t) => {
  const { token } = one(0, {});
  const other = one(2, { token: { ...token, partition: 1 }, state: 'failed' });
  const before = one(3, { token: { ...token, jobVersion: 0 }, state: 'completed' });
  t.same(counting(one(1, { state: 'running' }), other, before), ['1', '2']);
  t.same(counting(), []);
});
