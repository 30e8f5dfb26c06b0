/**
 * The log of one execution over a WebSocket, for Bacalhau's clients. Whoever may not read is told by HTTP; all else that goes
 * wrong is told in a message, after the upgrade. The close code is always 1000: these clients take any other for an error.
 */
import type { Context } from 'hono';
import type { WebSocket } from 'ws';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId, JobId } from '../../core/ids.ts';
import { latestExecution } from '../logs/latest-execution.ts';
import { withPulse } from '../logs/pulse.ts';
import { pathPart } from './answer.ts';
import type { ApiContext } from './context.ts';
import { errorMessage, LogMessages } from './log-messages.ts';
import { socketSender } from './socket-sender.ts';
import { findExecution, findJob } from './lookup.ts';
import { flag } from './query.ts';
import type { ApiCall, RouteTable } from './route-table.ts';

const PATH = '/api/v1/orchestrator/jobs/:id/logs';
/** Paths of requests for it. */
export const LOG_SOCKETS = /^\/api\/v1\/orchestrator\/jobs\/[^/]+\/logs(?:\?|$)/;
const PING_MS = 15_000;
const NORMAL = 1000;

export function logSocketRoute(routes: RouteTable, context: ApiContext): void {
  routes.add('reader', `GET ${PATH}`, async (c) => {
    const { takeSocket } = c.env;
    if (takeSocket === undefined) return noSocket(c);
    void serve(context, c, await takeSocket());
    return c.body(null);
  });
}

function noSocket(c: ApiCall): Response {
  const Message = `this is a WebSocket; over plain HTTP the log is at /api/v1/limpet/jobs/${pathPart(c, 'id')}/logs`;
  const body = { Status: 426, Message, RequestID: c.req.header('x-request-id') ?? '' };
  return c.json({ ...body, Code: 'BadRequest', Component: 'Limpet' }, 426, {
    upgrade: 'websocket',
  });
}

/** Never rejects. */
async function serve(context: ApiContext, c: Context, socket: WebSocket): Promise<void> {
  const left = new AbortController();
  socket.on('close', () => left.abort());
  const { clock, log } = context;
  const send = socketSender(socket, clock, () => log.info('log.reader-stalled', { path: PATH }));
  try {
    const messages = new LogMessages();
    const outputs = context.logs.read(await wish(context, c, left.signal));
    for await (const some of withPulse(outputs, clock, PING_MS)) {
      if (some === undefined) socket.ping();
      else for (const message of messages.of(some)) await send(message);
    }
  } catch (thrown) {
    if (!left.signal.aborted) await send(errorMessage(LimpetError.from(thrown).message));
  } finally {
    left.abort();
    socket.close(NORMAL);
  }
}

/** Bacalhau's `tail` is what comes from now on. Errors: `not-found`, `ambiguous-id`, `invalid-argument`. */
async function wish(context: ApiContext, c: Context, signal: AbortSignal) {
  const { reader } = context;
  const job = await findJob(reader, pathPart(c, 'id'), c.req.query('namespace') ?? '');
  const follow = flag(c.req.query('follow'), 'follow');
  const tail = flag(c.req.query('tail'), 'tail');
  const named = c.req.query('execution_id') ?? '';
  const executionId =
    named === ''
      ? await latestOf(context, { jobId: job.id, follow, signal })
      : await idOf(context, named, job.id);
  return {
    ...{ jobId: job.id, executionId, follow, signal },
    streams: ['stdout', 'stderr'] as const,
    ...(tail ? { tail: 0 } : {}),
  };
}

async function idOf({ reader }: ApiContext, text: string, jobId: JobId): Promise<ExecutionId> {
  const execution = await findExecution(reader, text);
  if (execution.jobId === jobId) return execution.id;
  throw new LimpetError('not-found', `execution ${execution.id} is none of job ${jobId}`);
}

async function latestOf(
  { reader, watchers }: ApiContext,
  of: { readonly jobId: JobId; readonly follow: boolean; readonly signal: AbortSignal },
): Promise<ExecutionId> {
  const execution = await latestExecution({ reader, watchers, ...of });
  if (execution !== undefined) return execution.id;
  throw new LimpetError('not-found', `no executions found for job ${of.jobId}`);
}
