/** What a waited-for job means for the exit code of the command. */
import { describeOutcome } from '../../core/execution/outcome.ts';
import { isTerminalJobState, JOB_STATES } from '../../core/job.ts';
import type { ExecutionSummary, WatchEvent } from '../../wire/http.ts';

export function isOver(event: WatchEvent): boolean {
  const state = JOB_STATES.find((known) => known === event.job.state);
  return state !== undefined && isTerminalJobState(state);
}

/** 0 when completed; the code of the execution that failed last; 1 when there is none or the job was stopped. */
export function exitCodeOf(event: WatchEvent): number {
  if (event.job.state === 'Completed') return 0;
  const code = failedExecution(event)?.outcome?.code;
  return code !== undefined && code > 0 && code < 256 ? code : 1;
}

/** One line: why the job failed or stopped; '' when it completed. */
export function whyNot(event: WatchEvent): string {
  if (event.job.state === 'Completed') return '';
  const failed = failedExecution(event);
  if (failed?.outcome !== undefined) return describeOutcome(failed.outcome);
  return failed?.reason || event.job.message;
}

function failedExecution(event: WatchEvent): ExecutionSummary | undefined {
  return event.executions
    .filter((execution) => execution.state === 'failed')
    .sort((a, b) => b.attempt - a.attempt)[0];
}
