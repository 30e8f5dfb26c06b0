import t from 'tap';
import { parseExecutionId } from '../../core/ids.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { PlanNode } from '../../requester/scheduling/board.ts';
import { NOTHING_INHERITED, type Inheritance } from '../../requester/scheduling/inheritance.ts';
import { plan, type Plan, type PlanInput } from '../../requester/scheduling/plan.ts';
import type { ExecutionRecord, JobRecord } from '../../requester/state/records.ts';
import { aJob, aNode, applied, uuidOf } from './requester-records.ts';

function planFor(
  jobs: readonly JobRecord[],
  nodes: readonly PlanNode[],
  more: Partial<PlanInput> = {},
): Plan {
  const declineBackoff = { firstMs: 1_000, lastMs: 60_000 };
  const usual = { executions: [], now: 1_000, declineBackoff, inheritance: NOTHING_INHERITED };
  return plan({ ...usual, jobs, nodes, ...more });
}

function placedOn(jobs: readonly JobRecord[], nodes: readonly PlanNode[]): ExecutionRecord[] {
  return applied(jobs, [], { plan: planFor(jobs, nodes), now: 1_000, firstId: 0 }).executions;
}

t.test(
  'work of before the start waits for the nodes, and then counts on above every attempt',
  async (t) => {
    const jobs = [aJob({ n: 1, timeouts: { QueueTimeout: 1 } }), aJob({ n: 2 })];
    const until = 9_000;
    const inheritance = (reason: string | undefined): Inheritance => ({
      inherits: ({ name }) => name === 'job-1',
      awaited: ({ name }) =>
        name === 'job-1' && reason !== undefined ? { reason, until } : undefined,
    });
    const held = planFor(jobs, [aNode({ n: 1 })], {
      now: 5_000,
      inheritance: inheritance('waits'),
    });
    t.match(
      held.placements.map(({ job, attempt }) => [job.name, attempt]),
      [['job-2', 0]],
      'a new job does not wait',
    );
    t.match(held.jobs[0], { state: 'Queued', message: 'waits' }, 'not over its QueueTimeout');
    t.equal(held.wakeAt, until);
    const [old] = [aJob({ n: 1 })];
    const freed = planFor([old], [aNode({ n: 1 })], {
      now: 5_000,
      inheritance: inheritance(undefined),
    });
    t.match(freed.placements, [{ attempt: 4_999 }], 'as many as ms since it was submitted');
  },
);

t.test('ops that waits for a node is neither done nor failed, and aims at no node', async (t) => {
  const jobs = [aJob({ n: 1, kind: 'ops', state: 'Running' })];
  const first = placedOn(jobs, [aNode({ n: 1 })])[0];
  if (first === undefined) throw new Error('an execution was expected');
  const aimed = [{ ...aJob({ n: 1, kind: 'ops', state: 'Running' }), nodes: [first.nodeId] }];
  const inheritance: Inheritance = {
    inherits: () => true,
    awaited: () => ({ reason: 'waits', until: 9_000 }),
  };
  const nodes = [aNode({ n: 1 }), aNode({ n: 2 })];
  for (const state of ['completed', 'failed'] as const) {
    const ended = [{ ...first, state, revision: 3 }];
    t.strictSame(
      planFor(aimed, nodes, { executions: ended, inheritance }).jobs.filter((job) =>
        isTerminalJobState(job.state),
      ),
      [],
      state,
    );
    t.match(planFor(aimed, nodes, { executions: ended }).jobs, [
      { state: state === 'completed' ? 'Completed' : 'Failed' },
    ]);
  }
  t.strictSame(planFor(jobs, nodes, { inheritance }).targets, []);
});

t.test('of several executions of one partition the newest token stays', async (t) => {
  const jobs = [aJob({ n: 1, state: 'Running' })];
  const nodes = [aNode({ n: 1 })];
  const [base] = placedOn(jobs, nodes);
  if (base === undefined) throw new Error('an execution was expected');
  const of = (
    n: number,
    attempt: number,
    more: Partial<ExecutionRecord> = {},
  ): ExecutionRecord => ({
    ...{ ...base, id: parseExecutionId(`e-${uuidOf(n)}`), token: { ...base.token, attempt } },
    ...{ state: 'running', revision: 2, ...more },
  });
  const stops = (...executions: ExecutionRecord[]) =>
    planFor(jobs, nodes, { executions }).stops.map(({ execution }) => execution.token.attempt);
  t.strictSame(stops(of(1, 0), of(2, 700)), [0]);
  t.strictSame(stops(of(9, 0), of(2, 700), of(3, 20)), [0, 20]);
  const [stop] = planFor(jobs, nodes, { executions: [of(1, 0), of(2, 0)] }).stops;
  t.equal(stop?.execution.id, of(1, 0).id, 'of equal tokens the one that was placed later');
  t.match(stop?.reason, /was placed later for partition 0/);
  t.strictSame(stops(of(1, 0), of(2, 700, { state: 'completed' })), [0], 'one has its result');
  t.strictSame(stops(of(1, 0, { state: 'completed' }), of(2, 700)), [700]);
  const failed = { state: 'failed', outcome: { by: 'exit', code: 7, reason: '' } } as const;
  t.strictSame(
    planFor(jobs, nodes, { executions: [of(1, 0, failed), of(2, 700)] }).jobs,
    [],
    'while a newer one goes on the end of an older one decides nothing',
  );
});
