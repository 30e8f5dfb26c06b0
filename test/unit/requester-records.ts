/** Records of the requester for tests of its pure parts. */
import { parseEvaluationId, parseExecutionId, parseJobId, parseNodeId } from '../../core/ids.ts';
import { parseJobSpec } from '../../core/job-spec.ts';
import { perNode, type JobKind } from '../../core/job.ts';
import { NO_RESOURCES, type Resources } from '../../core/resources.ts';
import type { PlanNode } from '../../requester/scheduling/board.ts';
import type { Plan } from '../../requester/scheduling/plan.ts';
import type { ExecutionRecord, JobRecord, NodeRecord } from '../../requester/state/records.ts';

export function uuidOf(n: number): string {
  return `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
}

export interface JobWish {
  readonly n: number;
  readonly count?: number;
  readonly cpuMillis?: number;
  readonly priority?: number;
  readonly timeouts?: Readonly<Record<string, number>>;
  readonly zone?: string;
  readonly state?: JobRecord['state'];
  readonly kind?: JobKind;
}

export function aJob({
  n,
  count = 1,
  cpuMillis = 500,
  priority = 0,
  timeouts = {},
  zone,
  state = 'Pending',
  kind = 'batch',
}: JobWish): JobRecord {
  const { spec } = parseJobSpec(
    {
      Type: kind,
      ...(perNode(kind) ? {} : { Count: count }),
      Priority: priority,
      ...(zone === undefined
        ? {}
        : { Constraints: [{ Key: 'zone', Operator: '=', Values: [zone] }] }),
      Tasks: [
        {
          Name: 'main',
          Engine: { Type: 'wasm' },
          Resources: { CPU: `${cpuMillis}m`, Memory: '1mb' },
          Timeouts: timeouts,
        },
      ],
    },
    'strict',
  );
  return {
    v: 1,
    id: parseJobId(`j-${uuidOf(n)}`),
    spec,
    name: `job-${n}`,
    specHash: 'hash',
    wanted: { cpuMillis, memoryBytes: 1_000_000, diskBytes: 0, gpus: 0 },
    version: 1,
    revision: 1,
    state,
    message: '',
    evaluationId: parseEvaluationId(`v-${uuidOf(n)}`),
    createdAt: n,
    modifiedAt: n,
    historySeq: 0,
  };
}

export interface NodeWish {
  readonly n: number;
  readonly cpuMillis?: number;
  readonly zone?: string;
  readonly connection?: NodeRecord['connection']['state'];
  readonly membership?: NodeRecord['membership']['state'];
  readonly scheduling?: NodeRecord['scheduling']['state'];
  readonly health?: 'healthy' | 'unhealthy';
  readonly recovery?: 'complete' | 'recovering';
  readonly foreign?: Resources;
}

export function aNode(wish: NodeWish): PlanNode {
  const {
    n,
    cpuMillis = 2000,
    zone = 'a',
    connection = 'connected',
    membership = 'approved',
  } = wish;
  const {
    scheduling = 'eligible',
    health = 'healthy',
    recovery = 'complete',
    foreign = NO_RESOURCES,
  } = wish;
  const why = { reason: 'test', by: 'test', at: 0 };
  const record: NodeRecord = {
    v: 1,
    id: parseNodeId(`n-${n}`),
    instanceId: `i-${n}`,
    info: {
      nodeId: `n-${n}`,
      name: `node ${n}`,
      version: '0',
      labels: { zone },
      capacity: { cpuMillis, memoryBytes: 1e9, diskBytes: 1e9, gpus: 0 },
      allocated: NO_RESOURCES,
      executors: [{ name: 'wasm', version: '0', health, reason: 'test', recovery }],
      sources: ['inline'],
      publishers: ['local'],
      running: 0,
    },
    membership: { state: membership, ...why },
    connection: { state: connection, reason: 'test', at: 0 },
    scheduling: { state: scheduling, ...why },
    session: 's',
    process: 'p',
    processStartedAt: 0,
    replaced: [],
    unlisted: [],
    firstSeenAt: 0,
  };
  return { record, foreign };
}

/** What the requester stores for a plan, as far as the next plan looks at it. */
export function applied(
  jobs: readonly JobRecord[],
  executions: readonly ExecutionRecord[],
  { plan, now, firstId }: { readonly plan: Plan; readonly now: number; readonly firstId: number },
): { readonly jobs: JobRecord[]; readonly executions: ExecutionRecord[] } {
  const stopped = new Map(plan.stops.map(({ execution, reason }) => [execution.id, reason]));
  const targets = new Map(plan.targets.map(({ job, nodes }) => [job.id, nodes]));
  const changed = new Map(plan.jobs.map((change) => [change.job.id, change]));
  const placed = plan.placements.map((placement, i): ExecutionRecord => ({
    v: 1,
    id: parseExecutionId(`e-${uuidOf(firstId + i)}`),
    jobId: placement.job.id,
    nodeId: placement.node.record.id,
    evaluationId: placement.job.evaluationId,
    token: { jobVersion: 1, partition: placement.partition, attempt: placement.attempt },
    wanted: placement.job.wanted,
    executor: 'wasm',
    desired: 'run',
    desiredReason: '',
    state: 'accepted',
    revision: 0,
    run: 0,
    reason: '',
    placedAt: now,
    modifiedAt: now,
    ...(placement.deadlineAt === undefined ? {} : { deadlineAt: placement.deadlineAt }),
  }));
  return {
    jobs: jobs.map((job) => {
      const change = changed.get(job.id);
      const nodes = targets.get(job.id) ?? job.nodes;
      return {
        ...job,
        ...(nodes === undefined ? {} : { nodes: [...nodes] }),
        ...(change === undefined ? {} : { state: change.state, message: change.message }),
      };
    }),
    executions: [
      ...executions.map((execution): ExecutionRecord => {
        const reason = stopped.get(execution.id);
        return reason === undefined
          ? execution
          : { ...execution, desired: 'stop', desiredReason: reason };
      }),
      ...placed,
    ],
  };
}
