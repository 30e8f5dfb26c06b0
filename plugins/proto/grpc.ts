/**
 * The calling half of a small typed bridge between protobuf-es services and @grpc/grpc-js (`grpc-server.ts` serves).
 *
 *   const link = connect(dialTarget(handshake));            // 'unix:/run/x.sock'
 *   const executor = client(Executor, link);
 *   await executor.info({}, { deadlineMs: 2000 });
 *   for await (const piece of executor.logs({ executionId, follow: true }, { signal })) ...
 *   link.close();
 *
 * Every failure is a LimpetError (`grpc-status.ts`).
 */
import * as grpc from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import { LimpetError } from '../../core/errors.ts';
import { methodDefinition, methodsOf, UNLIMITED, type Method } from './grpc-method.ts';
import { fromStatus } from './grpc-status.ts';

export interface UnaryOptions {
  /** From now; 10 s when missing, so that no call waits for ever. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface StreamOptions {
  /** From now, for the whole stream; none when missing. */
  readonly deadlineMs?: number;
  /** Ends the stream: the reader gets `cancelled`. */
  readonly signal?: AbortSignal;
}

export type Caller<M extends Method> = M['methodKind'] extends 'unary'
  ? (
      request: MessageInitShape<M['input']>,
      options?: UnaryOptions,
    ) => Promise<MessageShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (
        request: MessageInitShape<M['input']>,
        options?: StreamOptions,
      ) => AsyncIterable<MessageShape<M['output']>>
    : (
        requests: AsyncIterable<MessageInitShape<M['input']>>,
        options?: StreamOptions,
      ) => AsyncIterable<MessageShape<M['output']>>;

/** Streams begin with the first `next()`; leaving the loop cancels the call. */
export type Client<T extends GenServiceMethods> = { readonly [K in keyof T]: Caller<T[K]> };

const DEFAULT_DEADLINE_MS = 10_000;

/** As large as a piece of a log, which would else wait three times for room on its way. */
const STREAM_WINDOW_BYTES = 256 * 1024;

/** No retries (calls are idempotent, callers decide), fast reconnects, no subchannel shared with a dead plugin. */
const CHANNEL_OPTIONS: grpc.ClientOptions = {
  ...UNLIMITED,
  'grpc.default_authority': 'localhost',
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.enable_retries': 0,
  'grpc-node.flow_control_window': STREAM_WINDOW_BYTES,
};

/** One HTTP/2 connection, made at the first call and again after a loss; several services may share it. */
export interface Connection {
  readonly channel: grpc.Client;
  /** Fails the calls that are under way with `cancelled`. Twice is the same as once. */
  close(): void;
}

/** `target` is `unix:/absolute/path` or `host:port` (see `dialTarget`). */
export function connect(target: string): Connection {
  const channel = new grpc.Client(target, grpc.credentials.createInsecure(), CHANNEL_OPTIONS);
  return { channel, close: () => channel.close() };
}

/** Typed calls of one service over a connection. */
export function client<T extends GenServiceMethods>(
  service: GenService<T>,
  connection: Connection,
): Client<T> {
  const calls: Record<string, unknown> = {};
  for (const method of methodsOf(service)) {
    if (method.methodKind === 'unary')
      calls[method.localName] = unaryCaller(method, connection.channel);
    else if (method.methodKind === 'server_streaming')
      calls[method.localName] = streamCaller(method, connection.channel);
    else calls[method.localName] = bidiCaller(method, connection.channel);
  }
  return calls as Client<T>;
}

function unaryCaller(method: DescMethod, channel: grpc.Client) {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  return (request: MessageInitShape<DescMessage>, options: UnaryOptions = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (options.signal?.aborted === true)
        return reject(new LimpetError('cancelled', `${path} was cancelled`));
      const call = channel.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request),
        { deadline: Date.now() + (options.deadlineMs ?? DEFAULT_DEADLINE_MS) },
        (error, answer) => {
          options.signal?.removeEventListener('abort', cancel);
          if (error === null) resolve(answer);
          else reject(fromStatus(error));
        },
      );
      const cancel = () => call.cancel();
      options.signal?.addEventListener('abort', cancel, { once: true });
    });
}

function streamCaller(method: DescMethod, channel: grpc.Client) {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  return (request: MessageInitShape<DescMessage>, options: StreamOptions = {}) => {
    const open = () =>
      channel.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request),
        callOptions(options),
      );
    return receive(open, options.signal);
  };
}

function bidiCaller(method: DescMethod, channel: grpc.Client) {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  return (requests: AsyncIterable<MessageInitShape<DescMessage>>, options: StreamOptions = {}) => {
    const open = () => {
      const call = channel.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        callOptions(options),
      );
      feed(call, requests, method).catch(() => call.cancel());
      return call;
    };
    return receive(open, options.signal);
  };
}

async function feed(
  call: grpc.ClientDuplexStream<unknown, unknown>,
  requests: AsyncIterable<MessageInitShape<DescMessage>>,
  method: DescMethod,
): Promise<void> {
  for await (const request of requests) {
    if (call.destroyed) return;
    if (!call.write(create(method.input, request)))
      await new Promise<void>((resolve) => {
        call.once('drain', resolve);
        call.once('close', resolve);
        call.once('end', resolve);
      });
  }
  call.end();
}

async function* receive(
  open: () => grpc.ClientReadableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<unknown> {
  if (signal?.aborted === true) throw new LimpetError('cancelled', 'the stream was cancelled');
  const call = open();
  // The reader below sees errors by itself; this one is for those that come after it has left.
  call.on('error', () => undefined);
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message;
  } catch (thrown) {
    throw fromStatus(thrown);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

function callOptions(options: StreamOptions): grpc.CallOptions {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}
