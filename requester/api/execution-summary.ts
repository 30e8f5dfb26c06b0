/** An execution in a line, as `/api/v1/limpet` shows it. */
import type { ExecutionSummary } from '../../wire/http.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { ApiContext } from './context.ts';
import { stateMessage } from './job-shape.ts';

export function summaryOf(
  { preparing }: Pick<ApiContext, 'preparing'>,
  execution: ExecutionRecord,
): ExecutionSummary {
  const progress = preparing.of(execution);
  const { id, nodeId, token, state, run, outcome } = execution;
  return {
    id,
    nodeId,
    partition: token.partition,
    attempt: token.attempt,
    state,
    run,
    ...(outcome === undefined ? {} : { outcome }),
    reason: stateMessage(execution),
    ...(progress === undefined ? {} : { progress }),
  };
}
