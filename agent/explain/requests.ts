/** Answers the requester's question about one execution: `node.compute.<nodeId>.ExplainExecution/v1`. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Subscription, Transport } from '../../adapters/nats/port.ts';
import type { ExplainAnswer } from '../../wire/explain.ts';
import { toAgent } from '../../wire/subjects.ts';
import type { Explainer } from './explainer.ts';

const requestSchema = z.object({ executionId: z.string() });

export function serveExplanations(
  transport: Transport,
  nodeId: NodeId,
  explainer: Explainer,
): Subscription {
  return transport.subscribe(toAgent(nodeId, 'ExplainExecution'), async ({ payload }) =>
    Buffer.from(JSON.stringify(await answer(explainer, payload))),
  );
}

async function answer(explainer: Explainer, payload: Uint8Array): Promise<ExplainAnswer> {
  try {
    const request = requestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    return { type: 'explained', node: await explainer.execution(request.executionId) };
  } catch (thrown) {
    const { code, message } = LimpetError.from(thrown);
    return { type: 'refused', code, message };
  }
}
