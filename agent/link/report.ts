/** The outgoing report of one change, as its owner stores it. */
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { AgentRow, ExecutionEvent } from '../../wire/messages.ts';

export function reportRow(record: ExecutionRecord, events: readonly ExecutionEvent[]): AgentRow {
  const { placement, outcome, startedAt, finishedAt, published, output } = record;
  return {
    type: 'report',
    report: {
      executionId: placement.executionId,
      jobId: placement.jobId,
      token: placement.token,
      ...(placement.deadlineAt === undefined ? {} : { deadlineAt: placement.deadlineAt }),
      revision: record.revision,
      state: record.state,
      run: record.run,
      reason: record.reason,
      events: [...events],
      ...(outcome === undefined ? {} : { outcome }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(finishedAt === undefined ? {} : { finishedAt }),
      ...(published === undefined
        ? {}
        : { published: { type: published.type, params: { ...published.params } } }),
      ...(output === undefined || !isTerminal(record.state) ? {} : output),
    },
  };
}
