/** Reads logs over HTTP as clients do: frames, events, plain bytes, messages of a WebSocket. */
import { get, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { z } from 'zod';
import {
  LOG_FRAMES_TYPE,
  LogFrameDecoder,
  logNoticeSchema,
  logSourceSchema,
  type LogFrame,
  type LogSource,
} from '../../wire/log-frames.ts';
import { logEndSchema } from '../../cli/api/events.ts';

export interface Place {
  readonly url: string;
  readonly token: string;
}

export type Headers = Readonly<Record<string, string>>;

/** Resolves with the head of the answer. Whoever does not read it, does not take it. */
export function open(
  { url, token }: Place,
  path: string,
  headers: Headers = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const all = { authorization: `Bearer ${token}`, ...headers };
    get(`${url}/api/v1/${path}`, { headers: all, agent: false }, resolve).on('error', reject);
  });
}

export async function whole(place: Place, path: string, headers: Headers = {}) {
  const response = await open(place, path, headers);
  const bytes = await buffer(response);
  const { statusCode: status, headers: head, trailers } = response;
  return { status, head, trailers, bytes, text: bytes.toString() };
}

/** What came of a log in frames, as far as it has come. */
export class FramesReader {
  readonly frames: LogFrame[] = [];
  readonly sources = new Map<number, LogSource>();
  readonly notices: string[] = [];
  pulses = 0;
  end: z.output<typeof logEndSchema> | undefined;
  /** The answer has ended, or broke. */
  isOver = false;
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    const decoder = new LogFrameDecoder();
    response.on('data', (bytes: Buffer) => {
      for (const frame of decoder.take(bytes)) this.#take(frame);
    });
    response.on('error', () => undefined);
    response.on('close', () => (this.isOver = true));
  }

  static async open(place: Place, path: string): Promise<FramesReader> {
    const response = await open(place, path, { accept: LOG_FRAMES_TYPE });
    if (response.statusCode !== 200) throw new Error((await buffer(response)).toString());
    return new FramesReader(response);
  }

  /** Bytes of one execution, or of all, in their order. */
  bytes(source?: number): Buffer {
    const some = this.frames.filter((frame) => source === undefined || frame.source === source);
    return Buffer.concat(some.map(({ data }) => data));
  }

  text(source?: number): string {
    return this.bytes(source).toString();
  }

  leave(): void {
    this.#response.destroy();
  }

  #take(frame: LogFrame): void {
    const said = (): unknown => JSON.parse(Buffer.from(frame.data).toString());
    switch (frame.kind) {
      case 'source':
        return void this.sources.set(frame.source, logSourceSchema.parse(said()));
      case 'notice':
        return void this.notices.push(logNoticeSchema.parse(said()).text);
      case 'end':
        this.end = logEndSchema.parse(said());
        return;
      case 'pulse':
        this.pulses += 1;
        return;
      default:
        // The decoder's data are views of what it was given.
        this.frames.push({ ...frame, data: Buffer.from(frame.data) });
    }
  }
}

export interface ServerSent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Of the text of an answer; one that was cut off may be left out. */
export function eventsOf(text: string): readonly ServerSent[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.flatMap((block) => {
    const fields = new Map(
      block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.replace(/^\w*: ?/, '')]),
    );
    const data = fields.get('data');
    if (data === undefined) return [];
    const [id, event] = [fields.get('id') ?? '', fields.get('event') ?? 'message'];
    return [{ id, event, data: JSON.parse(data) as unknown }];
  });
}

const messageSchema = z.strictObject({
  value: z.strictObject({ Type: z.number(), Line: z.string() }),
  error: z.string().optional(),
});

/** All that a WebSocket brings until it is closed. */
export class SocketReader {
  readonly messages: z.output<typeof messageSchema>[] = [];
  code: number | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      this.messages.push(messageSchema.parse(JSON.parse(data.toString())));
    });
    socket.on('close', (code) => (this.code = code));
  }

  /** Rejects with the answer when there is no upgrade. */
  static open({ url, token }: Place, path: string, headers: Headers = {}): Promise<SocketReader> {
    const all = { authorization: `Bearer ${token}`, ...headers };
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1/${path}`, { headers: all });
    const reader = new SocketReader(socket);
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve(reader));
      socket.on('error', reject);
      socket.on('unexpected-response', (_request, response) => {
        void buffer(response).then((body) =>
          reject(new Error(`${response.statusCode} ${body.toString()}`)),
        );
      });
    });
  }

  text(type?: number): string {
    const some = this.messages.filter(({ value }) => type === undefined || value.Type === type);
    return some.map(({ value }) => value.Line).join('');
  }

  leave(): void {
    this.#socket.close();
  }
}
