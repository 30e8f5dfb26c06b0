/** The log of a job over HTTP; docs/logs.md. What comes depends on what the request accepts. */
import { LOG_FRAMES_TYPE } from '../../wire/log-frames.ts';
import type { LogEnd } from '../../wire/http.ts';
import type { ApiContext } from './context.ts';
import { logBody } from './log-body.ts';
import { logBytes } from './log-download.ts';
import { logFrames } from './log-frames-body.ts';
import { logEvents } from './log-sse.ts';
import { logWish, type LogWish } from './log-wish.ts';
import { flag } from './query.ts';
import type { ApiCall, RouteTable } from './route-table.ts';

export function logRoutes(routes: RouteTable, context: ApiContext): void {
  routes.add('reader', 'GET /api/v1/limpet/jobs/:id/logs', async (c) => {
    const wish = await logWish(context, c);
    const accept = c.req.header('accept') ?? '';
    if (accept.includes(LOG_FRAMES_TYPE)) return frames(context, c, wish);
    const isPlain = accept.includes('text/plain') && !accept.includes('text/event-stream');
    if (isPlain || flag(c.req.query('download'), 'download')) return download(context, c, wish);
    return events(context, c, wish);
  });
}

function frames(context: ApiContext, c: ApiCall, wish: LogWish): Response {
  const { signal, send } = answering(context, c);
  const chunks = logFrames(context.logs.read({ ...wish, signal }), context.clock);
  return send(chunks, { 'content-type': LOG_FRAMES_TYPE });
}

function events(context: ApiContext, c: ApiCall, wish: LogWish): Response {
  const { signal, send } = answering(context, c);
  const chunks = logEvents(context.logs.read({ ...wish, signal }), context.clock, wish.after);
  return send(chunks, { 'content-type': 'text/event-stream' });
}

const END_TRAILER = 'X-Limpet-Log-End';

/** Without `follow` one execution after the other, each whole. */
function download(context: ApiContext, c: ApiCall, wish: LogWish): Response {
  const { signal, send } = answering(context, c);
  const tellEnd = ({ code }: LogEnd): void => c.env.outgoing?.addTrailers({ [END_TRAILER]: code });
  const outputs = context.logs.read({ ...wish, inTurn: !wish.follow, signal });
  return send(logBytes(outputs, tellEnd), {
    'content-type': 'text/plain; charset=utf-8',
    'content-disposition': `attachment; filename="${fileName(wish)}"`,
    'x-content-type-options': 'nosniff',
    trailer: END_TRAILER,
  });
}

function fileName({ jobId, executionId, streams }: LogWish): string {
  const [stream, other] = streams;
  return `${executionId ?? jobId}${other === undefined ? `.${stream}` : ''}.log`;
}

interface Answering {
  /** Fires when the reader has left. */
  readonly signal: AbortSignal;
  readonly send: (
    chunks: AsyncGenerator<Uint8Array>,
    headers: Readonly<Record<string, string>>,
  ) => Response;
}

function answering({ clock, log }: ApiContext, c: ApiCall): Answering {
  const left = new AbortController();
  const { outgoing } = c.env;
  const cut = (): void => {
    log.info('log.reader-stalled', { path: c.req.path });
    outgoing?.destroy();
  };
  return {
    signal: left.signal,
    send: (chunks, headers) =>
      c.body(logBody({ chunks, clock, cut, onGone: () => left.abort() }), 200, {
        ...headers,
        'cache-control': 'no-cache',
        'transfer-encoding': 'chunked',
      }),
  };
}
