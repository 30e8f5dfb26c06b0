/** A tiny HTTP server that plays a requester's recorded answers to the cli. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  encodeLogFrames,
  LOG_FRAMES_TYPE,
  type LogFrame,
  type LogFrameKind,
  type LogSource,
} from '../../wire/log-frames.ts';
import type { Teardown } from '../kit/teardown.ts';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export type Answer =
  | { readonly status?: number; readonly json: unknown }
  | { readonly events: readonly string[]; readonly breakOff?: boolean; readonly stayOpen?: boolean }
  | {
      readonly frames: readonly LogFrame[];
      readonly breakOff?: boolean;
      readonly stayOpen?: boolean;
    }
  | { readonly bytes: Buffer };

export interface FakeRequester {
  readonly url: string;
  readonly seen: readonly Seen[];
}

/** `answers` by `METHOD /path` below /api/v1, without the query; a list is played in turn, its last one for ever. */
export async function fakeRequester(
  t: Teardown,
  answers: Readonly<Record<string, Answer | readonly Answer[]>>,
): Promise<FakeRequester> {
  const seen: Seen[] = [];
  const turns = new Map<string, number>();
  const server = createServer((request, response) => {
    void readJson(request).then((body) => {
      const { method = '', url = '' } = request;
      seen.push({ method, url, authorization: request.headers.authorization, body });
      const key = `${method} ${new URL(url, 'http://fake').pathname.replace('/api/v1', '')}`;
      const found = answers[key];
      const list = found === undefined ? [] : Array.isArray(found) ? found : [found];
      const turn = turns.get(key) ?? 0;
      turns.set(key, turn + 1);
      reply(response, list[Math.min(turn, list.length - 1)] ?? missing(key));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, seen };
}

function missing(key: string): Answer {
  return {
    status: 404,
    json: { Status: 404, Message: `nothing recorded for ${key}`, Code: 'NotFound' },
  };
}

function reply(response: ServerResponse, answer: Answer): void {
  if ('json' in answer) {
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
    response.end(typeof answer.json === 'string' ? answer.json : JSON.stringify(answer.json));
  } else if ('bytes' in answer) {
    response.writeHead(200, { 'content-type': 'application/gzip' });
    response.end(answer.bytes);
  } else {
    const isLog = 'frames' in answer;
    response.writeHead(200, { 'content-type': isLog ? LOG_FRAMES_TYPE : 'text/event-stream' });
    response.write(isLog ? encodeLogFrames(answer.frames) : answer.events.join(''));
    if (answer.breakOff === true) setImmediate(() => response.destroy());
    else if (answer.stayOpen !== true) response.end();
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  const parsed: unknown = text === '' ? undefined : JSON.parse(text);
  return parsed;
}

/** One message of our event streams. */
export function event(data: unknown, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** A frame of a log, of the first source unless told. */
export function frame(
  kind: LogFrameKind,
  data: string | Uint8Array | object,
  more: Partial<LogFrame> = {},
): LogFrame {
  const bytes = data instanceof Uint8Array ? data : Buffer.from(textOf(data));
  return { kind, source: 1, timeMs: 0, offset: 0, ...more, data: bytes };
}

function textOf(data: string | object): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

/** Declares the execution of a partition, as the source with the next number. */
export function source(partition = 0, more: Partial<LogSource> = {}): LogFrame {
  const executionId = `e-0193d5a0-1111-7000-8000-00000000000${'abcdef'[partition] ?? ''}`;
  const data = { executionId, nodeId: 'n-1', jobName: 'hello', partition, ...more };
  return frame('source', data, { source: partition + 1 });
}

export const FINISHED = frame('end', { code: 'finished', message: '' }, { source: 0 });
