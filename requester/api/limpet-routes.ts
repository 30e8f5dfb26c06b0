/** /api/v1/limpet: what is ours beyond Bacalhau. */
import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { ExecutionDetail, WatchEvent } from '../../wire/http.ts';
import { VERSION } from '../../wire/version.ts';
import type { JobId } from '../../core/ids.ts';
import { orderForeign } from '../nodes/foreign.ts';
import { answer, pathPart } from './answer.ts';
import { summaryOf } from './execution-summary.ts';
import { explainRoute } from './explain.ts';
import type { ApiContext } from './context.ts';
import { findExecution, findJob } from './lookup.ts';
import type { RouteTable } from './route-table.ts';

export function limpetRoutes(routes: RouteTable, context: ApiContext): void {
  const { reader, world, transport, requesterId } = context;
  routes.add('reader', 'GET /api/v1/limpet/jobs/:id/watch', (c) => watch(context, c));
  routes.add('reader', 'GET /api/v1/limpet/executions/:id', async (c) => {
    const execution = await findExecution(reader, pathPart(c, 'id'));
    const { jobId, desired, startedAt, finishedAt } = execution;
    const detail: ExecutionDetail = {
      ...summaryOf(context, execution),
      jobId,
      desired,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(finishedAt === undefined ? {} : { finishedAt }),
      events: await reader.events(execution.id),
    };
    return answer(c, detail);
  });
  foreignRoute(routes, context);
  explainRoute(routes, context);
  routes.add('reader', 'GET /api/v1/limpet/status', (c) =>
    answer(c, {
      RequesterID: requesterId,
      Version: VERSION,
      Problems: context.problems(),
      Nats: transport.connected ? 'connected' : 'disconnected',
      Streams: context.streams.open,
      Nodes: [...world.nodes()].length,
      Jobs: [...world.jobs()].filter(({ state }) => !isTerminalJobState(state)).length,
    }),
  );
}

const foreignOrder = z.strictObject({ word: z.enum(['adopt', 'stop']) });

/** An operator's word; it reaches the node like every order, when the node is there. */
function foreignRoute(routes: RouteTable, { coordinator }: ApiContext): void {
  routes.add('operator', 'POST /api/v1/limpet/foreign/:id', async (c) => {
    const body = foreignOrder.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success)
      throw new LimpetError('invalid-argument', 'foreign: expected {"word": "adopt" or "stop"}');
    const { word } = body.data;
    const text = pathPart(c, 'id');
    return answer(c, await coordinator.run((draft) => orderForeign(draft, text, word)));
  });
}

async function watch(context: ApiContext, c: Context): Promise<Response> {
  const job = await findJob(context.reader, pathPart(c, 'id'), c.req.query('namespace') ?? '');
  return sse(c, async (stream, signal) => {
    const changes = context.watchers.watch(job.id, signal);
    try {
      for (;;) {
        const event = await snapshot(context, job.id);
        await stream.writeSSE({ data: JSON.stringify(event.data) });
        if (event.over || !(await changes.next())) return;
      }
    } finally {
      changes.stop();
    }
  });
}

async function snapshot(
  context: ApiContext,
  id: JobId,
): Promise<{ readonly data: WatchEvent; readonly over: boolean }> {
  const { reader } = context;
  const job = await reader.job(id);
  if (job === undefined) throw new LimpetError('not-found', `job not found: ${id}`);
  const executions = (await reader.executionsOf(id)).map((one) => summaryOf(context, one));
  return {
    data: { job: { id, state: job.state, message: job.message }, executions },
    over: isTerminalJobState(job.state),
  };
}

/** `signal` fires when the reader has left or the work is over. */
function sse(
  c: Context,
  work: (stream: SSEStreamingApi, signal: AbortSignal) => Promise<void>,
): Response {
  return streamSSE(c, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    try {
      await work(stream, left.signal);
    } finally {
      left.abort();
    }
  });
}
