import t from 'tap';
import { NOTHING_INHERITED } from '../../requester/scheduling/inheritance.ts';
import { plan, type Plan } from '../../requester/scheduling/plan.ts';
import type { PlanNode } from '../../requester/scheduling/board.ts';
import type { ExecutionRecord, JobRecord } from '../../requester/state/records.ts';
import { aJob, aNode, applied } from './requester-records.ts';

const declineBackoff = { firstMs: 1_000, lastMs: 60_000 };

function planFor(
  jobs: readonly JobRecord[],
  nodes: readonly PlanNode[],
  executions: readonly ExecutionRecord[] = [],
  now = 1_000,
): Plan {
  return plan({ jobs, nodes, executions, now, declineBackoff, inheritance: NOTHING_INHERITED });
}

function placedOn(jobs: readonly JobRecord[], nodes: readonly PlanNode[]): ExecutionRecord[] {
  return applied(jobs, [], { plan: planFor(jobs, nodes), now: 1_000, firstId: 0 }).executions;
}

t.test('a job without a node waits, with the reason', async (t) => {
  const made = planFor([aJob({ n: 1 })], []);
  t.match(made.jobs, [{ state: 'Queued', message: 'no node has registered yet' }]);
});

t.test('the reason names what each node lacks', async (t) => {
  const nodes = [
    aNode({ n: 1, health: 'unhealthy' }),
    aNode({ n: 2, cpuMillis: 100 }),
    aNode({ n: 3, zone: 'b' }),
  ];
  const message = planFor([aJob({ n: 1, zone: 'a' })], nodes).jobs[0]?.message ?? '';
  t.match(message, /n-1 executor wasm is unhealthy: test/);
  t.match(message, /n-2 is too small for it: cpu: 500m wanted, 100m free/);
  t.match(message, /n-3 label zone is "b"; wanted: zone=a/);
});

t.test('the higher priority gets the room that is left', async (t) => {
  const made = planFor(
    [aJob({ n: 1 }), aJob({ n: 2, priority: 5 })],
    [aNode({ n: 1, cpuMillis: 600 })],
  );
  t.match(
    made.placements.map(({ job }) => job.name),
    ['job-2'],
  );
});

t.test('what others run on a node counts', async (t) => {
  const foreign = { cpuMillis: 1_800, memoryBytes: 0, diskBytes: 0, gpus: 0 };
  const made = planFor([aJob({ n: 1 })], [aNode({ n: 1, foreign })]);
  t.equal(made.placements.length, 0);
  t.match(made.jobs[0]?.message, /n-1 is full: cpu: 500m wanted, 200m free/);
});

t.test(
  'the deadline is the earlier of execution and total timeout, counted from placement and submission',
  async (t) => {
    const short = aJob({ n: 1, timeouts: { ExecutionTimeout: 5, TotalTimeout: 100 } });
    const late = aJob({ n: 2, timeouts: { ExecutionTimeout: 90, TotalTimeout: 100 } });
    const made = planFor([short, late], [aNode({ n: 1 })], [], 50_000);
    t.strictSame(
      made.placements.map(({ deadlineAt }) => deadlineAt),
      [55_000, 100_002],
    );
  },
);

t.test('one failed partition fails the job and stops the others', async (t) => {
  const jobs = [aJob({ n: 1, count: 2, state: 'Running' })];
  const nodes = [aNode({ n: 1 })];
  const [first, second] = placedOn(jobs, nodes);
  if (first === undefined || second === undefined) throw new Error('two executions were expected');
  const failed: ExecutionRecord = {
    ...first,
    state: 'failed',
    revision: 3,
    outcome: { by: 'exit', code: 7, reason: '' },
  };
  const made = planFor(jobs, nodes, [failed, second]);
  t.match(made.jobs, [{ state: 'Failed', message: 'partition 0 failed on n-1: exit 7' }]);
  t.strictSame(
    made.stops.map(({ execution }) => execution.id),
    [second.id],
  );
});

t.test(
  'a declined partition goes to another node at once, and back to the same one only after a while',
  async (t) => {
    const jobs = [aJob({ n: 1 })];
    const one = aNode({ n: 1 });
    const [execution] = placedOn(jobs, [one]);
    if (execution === undefined) throw new Error('an execution was expected');
    const declined: ExecutionRecord = {
      ...execution,
      state: 'declined',
      revision: 1,
      reason: 'no disk',
      modifiedAt: 2_000,
    };
    const alone = planFor(jobs, [one], [declined], 2_500);
    t.match(alone.jobs, [{ state: 'Queued', message: 'no node fits: n-1 declined it: no disk' }]);
    t.equal(alone.wakeAt, 3_000);
    t.match(planFor(jobs, [one, aNode({ n: 2 })], [declined], 2_500).placements, [
      { attempt: 1, node: { record: { id: 'n-2' } } },
    ]);
    t.match(planFor(jobs, [one], [declined], 3_000).placements, [{ attempt: 1 }]);
  },
);

t.test('a queue timeout fails the job and says why it waited', async (t) => {
  const waiting = aJob({ n: 0, timeouts: { QueueTimeout: 3 } });
  t.equal(planFor([waiting], [], [], 2_999).wakeAt, 3_000);
  const queued: JobRecord = { ...waiting, state: 'Queued', message: 'no node has registered yet' };
  t.match(planFor([queued], [], [], 3_000).jobs, [
    {
      state: 'Failed',
      message: 'queued longer than its QueueTimeout of 3 s: no node has registered yet',
    },
  ]);
});

t.test('a stopped job stops its executions once', async (t) => {
  const jobs = [aJob({ n: 1, state: 'Stopped' })];
  const executions = placedOn([aJob({ n: 1 })], [aNode({ n: 1 })]);
  const made = planFor(jobs, [], executions);
  t.match(made.stops, [{ reason: 'the job was stopped' }]);
  const after = applied(jobs, executions, { plan: made, now: 1_000, firstId: 9 });
  t.equal(planFor(after.jobs, [], after.executions).stops.length, 0);
});

/** What the requester stores after one plan, as the next one finds it. */
function settled(
  jobs: readonly JobRecord[],
  nodes: readonly PlanNode[],
  executions: readonly ExecutionRecord[] = [],
): { readonly jobs: JobRecord[]; readonly executions: ExecutionRecord[] } {
  const made = planFor(jobs, nodes, executions);
  return applied(jobs, executions, { plan: made, now: 1_000, firstId: executions.length });
}

const ended = (
  execution: ExecutionRecord,
  state: 'completed' | 'failed' | 'cancelled',
  outcome: NonNullable<ExecutionRecord['outcome']>,
): ExecutionRecord => ({ ...execution, state, outcome, revision: 5, modifiedAt: 1_000 });

t.test('ops runs once on each node that matches at the beginning, full ones too', async (t) => {
  const nodes = [aNode({ n: 1 }), aNode({ n: 2 }), aNode({ n: 3, zone: 'b' })];
  const full = { cpuMillis: 1_800, memoryBytes: 0, diskBytes: 0, gpus: 0 };
  const busy = [aNode({ n: 1 }), aNode({ n: 2, foreign: full }), aNode({ n: 3, zone: 'b' })];
  const first = settled([aJob({ n: 1, kind: 'ops', zone: 'a' })], busy);
  t.same(
    first.executions.map(({ nodeId }) => nodeId),
    ['n-1'],
  );
  t.match(first.jobs, [
    { nodes: ['n-1', 'n-2'], message: /1 of 2 partitions wait: .*n-2 is full/ },
  ]);
  const second = settled(first.jobs, [...nodes, aNode({ n: 4 })], first.executions);
  t.same(
    second.executions.map(({ nodeId, token }) => [nodeId, token.partition]),
    [
      ['n-1', 0],
      ['n-2', 1],
    ],
  );
});

t.test('ops lets every node come to its end, then completes or fails', async (t) => {
  const nodes = [aNode({ n: 1 }), aNode({ n: 2 })];
  const { jobs, executions } = settled([aJob({ n: 1, kind: 'ops' })], nodes);
  const [one, two] = executions;
  if (one === undefined || two === undefined) throw new Error('two executions were expected');
  const failed = ended(one, 'failed', { by: 'exit', code: 7, reason: '' });
  const done = ended(two, 'completed', { by: 'exit', code: 0, reason: '' });
  const half = planFor(jobs, nodes, [failed, two]);
  t.same(half.stops, [], 'the other goes on');
  t.match(half.jobs, [{ state: 'Running', message: /1 of 2 nodes failed: .*exit 7/ }]);
  t.match(planFor(jobs, nodes, [failed, done]).jobs, [
    { state: 'Failed', message: '1 of 2 nodes failed: partition 0 failed on n-1: exit 7' },
  ]);
  const fine = ended(one, 'completed', { by: 'exit', code: 0, reason: '' });
  t.match(planFor(jobs, nodes, [fine, done]).jobs, [{ state: 'Completed' }]);
});

t.test('ops without any node waits for one, with the reason', async (t) => {
  const job = aJob({ n: 1, kind: 'ops', zone: 'b' });
  const made = planFor([job], [aNode({ n: 1 })]);
  t.match(made.jobs, [{ state: 'Queued', message: /^no node fits: n-1 label zone/ }]);
});

t.test('a daemon goes to nodes that match later too, and on when one of them fails', async (t) => {
  const nodes = [aNode({ n: 1 })];
  const first = settled([aJob({ n: 1, kind: 'daemon' })], nodes);
  const later = [...nodes, aNode({ n: 2 })];
  const second = settled(first.jobs, later, first.executions);
  t.same(
    second.executions.map(({ nodeId }) => nodeId),
    ['n-1', 'n-2'],
  );
  const [one, two] = second.executions;
  if (one === undefined || two === undefined) throw new Error('two executions were expected');
  const failed = ended(one, 'failed', { by: 'refused', reason: 'no such file' });
  const made = planFor(second.jobs, later, [failed, { ...two, state: 'running', revision: 3 }]);
  t.match(made.jobs, [{ state: 'Running', message: /1 of 2 nodes failed/ }]);
  t.same(made.stops, []);
});

t.test(
  'a service that was lost or ended by its lease is placed again, one that is used up fails',
  async (t) => {
    const nodes = [aNode({ n: 1 }), aNode({ n: 2 })];
    const job = aJob({ n: 1, kind: 'service', timeouts: { QueueTimeout: 1 } });
    const { jobs, executions } = settled([job], nodes);
    const [one] = executions;
    if (one === undefined) throw new Error('an execution was expected');
    const elsewhere = [{ attempt: 1, node: { record: { id: 'n-2' } } }];
    const lost = ended(one, 'failed', { by: 'lost', reason: 'lost_on_node' });
    t.match(planFor(jobs, nodes, [lost], 90_000).placements, [{ attempt: 1 }], 'however late');
    t.match(planFor(jobs, nodes, [lost]).placements, elsewhere);
    const cut = ended(one, 'cancelled', { by: 'limit', reason: 'lease' });
    t.match(planFor(jobs, nodes, [cut]).placements, elsewhere);
    const used = ended(one, 'failed', { by: 'exit', code: 1, reason: '' });
    t.match(planFor(jobs, nodes, [used]).jobs, [{ state: 'Failed' }]);
  },
);
