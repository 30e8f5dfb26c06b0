/** `GET /api/v1/limpet/executions/:id/explain`: what its owner stores, and what its node says now. */
import type { Context } from 'hono';
import { LimpetError } from '../../core/errors.ts';
import { explainAnswerSchema, type NodeSide } from '../../wire/explain.ts';
import type { ExecutionExplanation } from '../../wire/http.ts';
import { toAgent } from '../../wire/subjects.ts';
import type { ExecutionRecord } from '../state/records.ts';
import { answer, pathPart } from './answer.ts';
import type { ApiContext } from './context.ts';
import { summaryOf } from './execution-summary.ts';
import { findExecution } from './lookup.ts';
import type { RouteTable } from './route-table.ts';

const ANSWER_MS = 3_000;

export function explainRoute(routes: RouteTable, context: ApiContext): void {
  routes.add('reader', 'GET /api/v1/limpet/executions/:id/explain', async (c: Context) => {
    const execution = await findExecution(context.reader, pathPart(c, 'id'));
    const explanation: ExecutionExplanation = {
      owner: {
        ...summaryOf(context, execution),
        jobId: execution.jobId,
        desired: execution.desired,
        desiredReason: execution.desiredReason,
        ...(execution.startedAt === undefined ? {} : { startedAt: execution.startedAt }),
        ...(execution.finishedAt === undefined ? {} : { finishedAt: execution.finishedAt }),
        events: await context.reader.events(execution.id),
      },
      node: await askNode(context, execution),
    };
    return answer(c, explanation);
  });
}

async function askNode(
  { transport }: ApiContext,
  { id, nodeId }: ExecutionRecord,
): Promise<NodeSide> {
  try {
    const request = Buffer.from(JSON.stringify({ executionId: id }));
    const reply = await transport.request(toAgent(nodeId, 'ExplainExecution'), request, ANSWER_MS);
    return explainAnswerSchema.parse(JSON.parse(Buffer.from(reply).toString()));
  } catch (thrown) {
    return { type: 'unreachable', reason: LimpetError.from(thrown).message };
  }
}
