/**
 * The serving half of a small typed bridge between protobuf-es services and @grpc/grpc-js (`grpc.ts` is the other half).
 *
 *   addService(server, Executor, {
 *     async info({ request, signal }) { return { name: 'wasm' }; },
 *     async *logs({ request, signal }) { yield { frames }; },
 *   });
 *
 * Handlers throw LimpetErrors (`grpc-status.ts`). A stream handler must end when `signal` fires. A method that is missing
 * answers UNIMPLEMENTED.
 */
import type * as grpc from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import { methodDefinition, methodsOf, UNLIMITED, type Method } from './grpc-method.ts';
import { toStatus } from './grpc-status.ts';

export interface Call<Request> {
  readonly request: Request;
  /** Fires when the caller has gone away or its deadline has passed. */
  readonly signal: AbortSignal;
}

export interface BidiCall<Request> {
  readonly requests: AsyncIterable<Request>;
  readonly signal: AbortSignal;
}

export type Handler<M extends Method> = M['methodKind'] extends 'unary'
  ? (call: Call<MessageShape<M['input']>>) => Promise<MessageInitShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (call: Call<MessageShape<M['input']>>) => AsyncIterable<MessageInitShape<M['output']>>
    : (call: BidiCall<MessageShape<M['input']>>) => AsyncIterable<MessageInitShape<M['output']>>;

export type Implementation<T extends GenServiceMethods> = {
  readonly [K in keyof T]?: Handler<T[K]>;
};

export const SERVER_OPTIONS: grpc.ServerOptions = UNLIMITED;

type Outgoing =
  grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type AnyHandler = (call: {
  request?: unknown;
  requests?: AsyncIterable<unknown>;
  signal: AbortSignal;
}) => unknown;

/** Serves `implementation` on `server`; errors that handlers throw become statuses. */
export function addService<T extends GenServiceMethods>(
  server: grpc.Server,
  service: GenService<T>,
  implementation: Implementation<T>,
): void {
  const handlers = implementation as Readonly<Record<string, AnyHandler | undefined>>;
  const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
  const bound: grpc.UntypedServiceImplementation = {};
  for (const method of methodsOf(service)) {
    definition[method.localName] = methodDefinition(method);
    const handler = handlers[method.localName];
    if (handler !== undefined) bound[method.localName] = bind(method, handler.bind(implementation));
  }
  server.addService(definition, bound);
}

function bind(method: DescMethod, handler: AnyHandler): grpc.UntypedHandleCall {
  const answer = (message: unknown) =>
    create(method.output, message as MessageInitShape<DescMessage>);
  if (method.methodKind === 'unary') {
    return (call: grpc.ServerUnaryCall<unknown, unknown>, done: grpc.sendUnaryData<unknown>) => {
      const run = async () =>
        answer(await handler({ request: call.request, signal: cancelled(call) }));
      run().then(
        (message) => done(null, message),
        (thrown: unknown) => done(toStatus(thrown)),
      );
    };
  }
  return (call: Outgoing) => {
    const signal = cancelled(call);
    const source = handler({ ...incoming(call, method), signal }) as AsyncIterable<unknown>;
    send(call, source, { signal, answer }).then(
      () => call.end(),
      (thrown: unknown) => call.emit('error', toStatus(thrown)),
    );
  };
}

/** The plain iterator of a duplex destroys its writing half as soon as the client half-closes. */
function incoming(call: Outgoing, method: DescMethod) {
  if (method.methodKind === 'server_streaming')
    return { request: (call as grpc.ServerWritableStream<unknown, unknown>).request };
  const duplex = call as grpc.ServerDuplexStream<unknown, unknown>;
  return { requests: duplex.iterator({ destroyOnReturn: false }) };
}

async function send(
  call: Outgoing,
  source: AsyncIterable<unknown>,
  { signal, answer }: { signal: AbortSignal; answer: (message: unknown) => unknown },
): Promise<void> {
  for await (const message of source) {
    if (signal.aborted) return;
    if (!call.write(answer(message))) await drained(call, signal);
  }
}

/** Resolves when the stream takes more, or when nobody will read it any more (then 'drain' never comes). */
function drained(call: Outgoing, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      call.off('drain', go);
      signal.removeEventListener('abort', go);
      resolve();
    };
    if (signal.aborted) return resolve();
    call.on('drain', go);
    signal.addEventListener('abort', go);
  });
}

function cancelled(call: grpc.ServerUnaryCall<unknown, unknown> | Outgoing): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  const events: NodeJS.EventEmitter = call;
  events.on('cancelled', () => controller.abort());
  return controller.signal;
}
