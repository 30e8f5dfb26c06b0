import fc from 'fast-check';
import t from 'tap';
import type { ExecutionState } from '../../core/execution/states.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { isTerminalJobState, JOB_KINDS, staysUp } from '../../core/job.ts';
import type { PlanNode } from '../../requester/scheduling/board.ts';
import { NOTHING_INHERITED } from '../../requester/scheduling/inheritance.ts';
import { plan, type PlanInput } from '../../requester/scheduling/plan.ts';
import type { ExecutionRecord, JobRecord } from '../../requester/state/records.ts';
import { aJob, aNode, applied } from './requester-records.ts';

const ROUNDS = 6;
const declineBackoff = { firstMs: 1_000, lastMs: 60_000 };
const inheritance = NOTHING_INHERITED;

const job = fc.record({
  kind: fc.constantFrom(...JOB_KINDS),
  count: fc.integer({ min: 0, max: 5 }),
  cpuMillis: fc.constantFrom(100, 500, 900, 2_500),
  priority: fc.integer({ min: 0, max: 2 }),
  timeouts: fc.constantFrom(
    {},
    { TotalTimeout: 10, ExecutionTimeout: 5 },
    { QueueTimeout: 3 },
    { ExecutionTimeout: 0 },
  ),
  zone: fc.constantFrom(undefined, 'a', 'b'),
});

/** Mostly the first, now and then another. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(usual, ...others) },
  );
}

const node = fc.record({
  cpuMillis: fc.constantFrom(0, 600, 1_000, 3_000),
  zone: fc.constantFrom('a', 'b'),
  connection: mostly<'connected' | 'unknown' | 'unhealthy'>('connected', 'unknown', 'unhealthy'),
  membership: mostly<'approved' | 'pending'>('approved', 'pending'),
  scheduling: mostly<'eligible' | 'ineligible'>('eligible', 'ineligible'),
  health: mostly<'healthy' | 'unhealthy'>('healthy', 'unhealthy'),
  recovery: mostly<'complete' | 'recovering'>('complete', 'recovering'),
  foreign: fc
    .constantFrom(0, 0, 400)
    .map((cpuMillis) => ({ cpuMillis, memoryBytes: 0, diskBytes: 0, gpus: 0 })),
});

/** What nodes may say next of any execution. */
const report = fc.record({
  pick: fc.nat(),
  state: fc.constantFrom<ExecutionState>(
    'running',
    'publishing',
    'completed',
    'completed',
    'failed',
    'declined',
    'cancelled',
  ),
});

const world = fc.record({
  jobs: fc.array(job, { minLength: 1, maxLength: 5 }),
  nodes: fc.array(node, { maxLength: 4, size: 'max' }),
  rounds: fc.array(
    fc.record({
      reports: fc.array(report, { maxLength: 5 }),
      passMs: fc.constantFrom(0, 700, 5_000),
    }),
    {
      minLength: 1,
      maxLength: ROUNDS,
    },
  ),
});

function onePerPartition(executions: readonly ExecutionRecord[]): string | undefined {
  const seen = new Set<string>();
  for (const { jobId, token, state } of executions) {
    const key = `${jobId}/${token.partition}`;
    if (isTerminal(state) && state !== 'completed') continue;
    if (seen.has(key)) return `two active or accepted executions of ${key}`;
    seen.add(key);
  }
  return undefined;
}

function oneTokenEach(executions: readonly ExecutionRecord[]): string | undefined {
  const tokens = executions.map(
    ({ jobId, token }) => `${jobId}/${token.partition}/${token.attempt}`,
  );
  return new Set(tokens).size === tokens.length
    ? undefined
    : `a token was given out twice: ${tokens.join(' ')}`;
}

function withinCapacity(
  nodes: readonly PlanNode[],
  executions: readonly ExecutionRecord[],
): string | undefined {
  for (const { record, foreign } of nodes) {
    const used = executions
      .filter(({ nodeId, state }) => nodeId === record.id && !isTerminal(state))
      .reduce((sum, { wanted }) => sum + wanted.cpuMillis, 0);
    const room = record.info.capacity.cpuMillis - foreign.cpuMillis;
    if (used > 0 && used > room) return `${record.id} has ${used}m of ${room}m`;
  }
  return undefined;
}

function onlyWhereAllowed(made: ReturnType<typeof plan>): string | undefined {
  for (const {
    node: { record },
    job: wanted,
  } of made.placements) {
    const zone = wanted.spec.Constraints[0]?.Values[0];
    const [executor] = record.info.executors;
    const good =
      record.connection.state === 'connected' &&
      record.membership.state === 'approved' &&
      record.scheduling.state === 'eligible' &&
      executor?.health === 'healthy' &&
      executor.recovery === 'complete' &&
      (zone === undefined || record.info.labels['zone'] === zone);
    if (!good) return `${wanted.id} was placed on ${record.id}`;
    if (isTerminalJobState(wanted.state)) return `${wanted.id} had ended`;
  }
  return undefined;
}

function staysUpUntilStopped(jobs: readonly JobRecord[]): string | undefined {
  const done = jobs.find(({ spec, state }) => staysUp(spec.Type) && state === 'Completed');
  return done === undefined ? undefined : `${done.id} is a ${done.spec.Type} and completed`;
}

function waitingHasReason(jobs: readonly JobRecord[]): string | undefined {
  const silent = jobs.find(({ state, message }) => state === 'Queued' && message === '');
  return silent === undefined ? undefined : `${silent.id} waits without a reason`;
}

function reported(
  executions: readonly ExecutionRecord[],
  pick: number,
  state: ExecutionState,
  now: number,
): ExecutionRecord[] {
  return executions.map((execution, i) =>
    i === pick % executions.length && !isTerminal(execution.state)
      ? { ...execution, state, revision: execution.revision + 1, modifiedAt: now }
      : execution,
  );
}

t.test(
  'whatever happens: one active execution per partition, never over capacity, and a plan of its own result is empty',
  async (t) => {
    let placements = 0;
    fc.assert(
      fc.property(world, (given) => {
        let jobs = given.jobs.map(({ zone, ...wish }, n) =>
          aJob({ n, ...wish, ...(zone === undefined ? {} : { zone }) }),
        );
        const nodes = given.nodes.map((wish, n) => aNode({ n, ...wish }));
        let executions: ExecutionRecord[] = [];
        let now = 1_000;
        for (const { reports, passMs } of given.rounds) {
          const input: PlanInput = { jobs, nodes, executions, now, declineBackoff, inheritance };
          const made = plan(input);
          placements += made.placements.length;
          ({ jobs, executions } = applied(jobs, executions, {
            plan: made,
            now,
            firstId: executions.length,
          }));
          const again = plan({ ...input, jobs, executions });
          const wrong =
            onePerPartition(executions) ??
            oneTokenEach(executions) ??
            withinCapacity(nodes, executions) ??
            onlyWhereAllowed(made) ??
            waitingHasReason(jobs) ??
            staysUpUntilStopped(jobs) ??
            (again.placements.length + again.stops.length + again.jobs.length > 0
              ? `not stable: ${JSON.stringify(again)}`
              : undefined);
          if (wrong !== undefined) throw new Error(wrong);
          now += passMs;
          for (const { pick, state } of reports)
            executions = reported(executions, pick, state, now);
        }
      }),
      { numRuns: 500 },
    );
    t.ok(placements > 500, `the runs placed something: ${placements}`);
  },
);
