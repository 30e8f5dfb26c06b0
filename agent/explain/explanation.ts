/** One execution as recovery sees it: a pure view over record, observation and `decide`. */
import { decide } from '../../core/execution/decide.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Explanation } from '../../wire/explain.ts';

/** What an executor showed of one execution, or why it could not be asked. */
export type Seen =
  | { readonly type: 'asked'; readonly runs: readonly ObservedRun[] }
  | { readonly type: 'not-asked'; readonly reason: string };

export interface Subject {
  readonly executionId: string;
  readonly executor: string;
  /** Missing: nothing is stored of it. */
  readonly record: ExecutionRecord | undefined;
}

export interface Moment {
  readonly now: number;
  leaseOver(this: void, record: ExecutionRecord): boolean;
}

export function explain(
  { executionId, executor, record }: Subject,
  seen: Seen,
  { now, leaseOver }: Moment,
): Explanation {
  const observed = seen.type === 'asked' ? seen.runs : [unobservable(executionId, record)];
  const decision = decide({
    ...{ record, observed, now, removingTooLong: false },
    leaseOver: record !== undefined && leaseOver(record),
    unconfirmed: record?.unconfirmed === true,
  });
  return {
    executionId,
    jobId: record?.placement.jobId ?? '',
    executor,
    desired: desiredOf(record),
    ...(record === undefined ? {} : { stored: storedOf(record) }),
    observed: observed.map(observedOf),
    unobserved: seen.type === 'asked' ? '' : seen.reason,
    decision: { rule: decision.rule, action: decision.action.type, why: decision.why },
  };
}

function unobservable(executionId: string, record: ExecutionRecord | undefined): ObservedRun {
  const run = record?.run ?? 0;
  return { executionId, run, phase: 'unobservable', marked: false, sameBoot: false, ours: true };
}

function desiredOf(record: ExecutionRecord | undefined): Explanation['desired'] {
  const deadlineAt = record?.placement.deadlineAt;
  return {
    what: record?.stop === undefined ? 'run' : 'stop',
    reason: record?.stop?.reason ?? '',
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
  };
}

function storedOf(record: ExecutionRecord): NonNullable<Explanation['stored']> {
  const { state, run, revision, changedAt, removed, startedAt, finishedAt, outcome, nextAt } =
    record;
  return {
    ...{ state, run, revision, changedAt, removed },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

function observedOf(run: ObservedRun): Explanation['observed'][number] {
  const { phase, marked, sameBoot, ours, startedAt, finishedAt, outcome } = run;
  return {
    ...{ run: run.run, phase, marked, sameBoot, ours },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}
