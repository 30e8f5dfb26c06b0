/** What is shown of a foreign execution. */
import { describeOutcome } from '../../core/execution/outcome.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';

export interface ForeignShape {
  readonly id: string;
  readonly executor: string;
  readonly run: number;
  /** `running`, `created`, or how it ended. */
  readonly state: string;
  readonly since: number;
  readonly jobId: string;
  readonly jobName: string;
  readonly owner: string;
  readonly deadlineAt?: number;
  /** What of its placement could not be rebuilt. */
  readonly unknown: readonly string[];
  /** Whose word, which; '' while there is none. */
  readonly answer: string;
}

export function foreignShape(record: ExecutionRecord): ForeignShape {
  const { placement, run, foreign } = record;
  const { executionId, jobId, jobName, owner, task, deadlineAt } = placement;
  const answer = foreign?.answer;
  return {
    id: executionId,
    executor: task.Engine.Type,
    run,
    state: stateText(record),
    since: foreign?.since ?? 0,
    ...{ jobId, jobName, owner },
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
    unknown: foreign?.unknown ?? [],
    answer: answer === undefined ? '' : `${answer.word} (${answer.by})`,
  };
}

/** One line for the status. */
export function foreignText({ executor, id, run, state, answer }: ForeignShape): string {
  return `${executor}: ${id} run ${run} ${state}${answer === '' ? '' : `, ${answer}`}`;
}

function stateText({ state, outcome }: ExecutionRecord): string {
  if (state === 'starting') return 'created';
  return outcome === undefined ? state : `ended: ${describeOutcome(outcome)}`;
}
