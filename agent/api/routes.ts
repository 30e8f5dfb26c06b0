/**
 * Routes of a small HTTP API, and the server that answers by them. On plain node:http: a framework over fetch's Request and
 * Response has Node load all of its fetch, which is a tenth of the agent's start and some megabytes ever after.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { LimpetError } from '../../core/errors.ts';

export interface ApiRequest {
  /** What stands in the path for `:name`. */
  param(name: string): string;
  /** What stands in the query under `name`; '' when it is not there. */
  query(name: string): string;
  /** The body; undefined when it is no JSON. */
  json(): Promise<unknown>;
}

export type Reply =
  { readonly json: unknown; readonly status?: number } | { readonly text: string };

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/executions/:id/history` */
  readonly path: string;
  /** What it throws is answered as {code, message}. */
  answer(request: ApiRequest): Reply | Promise<Reply>;
}

const MAX_BODY_CHARACTERS = 64 * 1024;

/** The first route that fits answers. */
export function serveRoutes(routes: readonly Route[]): Server {
  return createServer((request, response) => {
    void replyTo(routes, request)
      .then(answerOf)
      .catch((thrown: unknown) => answerOf(refusal(thrown)))
      .then(({ status, type, body }) => {
        const length = Buffer.byteLength(body);
        response.writeHead(status, { 'content-type': type, 'content-length': length });
        response.end(body);
      });
  });
}

async function replyTo(routes: readonly Route[], request: IncomingMessage): Promise<Reply> {
  const { method = '', url = '' } = request;
  const [path = '', search = ''] = url.split('?');
  for (const route of routes) {
    const params = route.method === method ? match(route.path, path) : undefined;
    if (params === undefined) continue;
    return route.answer({
      param: (name) => params.get(name) ?? '',
      query: (name) => new URLSearchParams(search).get(name) ?? '',
      json: () => jsonOf(request),
    });
  }
  throw new LimpetError('not-found', `there is no ${method} ${path}`);
}

/** The parts of `path` that `pattern` names; undefined when it does not fit. */
function match(pattern: string, path: string): ReadonlyMap<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const params = new Map<string, string>();
  if (wanted.length !== given.length) return undefined;
  for (const [at, want] of wanted.entries()) {
    const part = given[at] ?? '';
    if (want.startsWith(':') && part !== '') params.set(want.slice(1), decoded(part));
    else if (want !== part) return undefined;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `'${part}' is not valid in a path`, {
      cause: thrown,
    });
  }
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) {
    text += String(part);
    if (text.length > MAX_BODY_CHARACTERS)
      throw new LimpetError('invalid-argument', 'the body is too long');
  }
  try {
    const body: unknown = JSON.parse(text);
    return body;
  } catch {
    return undefined;
  }
}

function refusal(thrown: unknown): Reply {
  const { code, message } = LimpetError.from(thrown);
  const status = code === 'not-found' ? 404 : code.startsWith('invalid') ? 400 : 500;
  return { json: { code, message }, status };
}

function answerOf(reply: Reply) {
  if ('text' in reply) return { status: 200, type: 'text/plain; charset=UTF-8', body: reply.text };
  const { json, status = 200 } = reply;
  return { status, type: 'application/json', body: JSON.stringify(json) };
}
