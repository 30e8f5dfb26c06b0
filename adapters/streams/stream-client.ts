/**
 * The requester's side. One subscription for the chunks of all nodes exists before any stream is asked for, and a stream is
 * known here before its node hears of it, so that no chunk comes too early. A chunk that nobody waits for is answered by a
 * cancel; so is one that comes after its open request was given up.
 */
import { LimpetError, type ErrorCode, ERROR_CODES } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';
import { streamOpenedSchema } from '../../wire/messages.ts';
import { nodeOfSubject, toAgent, toRequester } from '../../wire/subjects.ts';
import type { Clock, Random, Timer } from '../clock/port.ts';
import type { Logger } from '../log/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../nats/port.ts';
import { decodeJson, encodeCredit, encodeJson, isEnd, type Credit } from './frames.ts';
import { StreamReader } from './incoming-stream.ts';
import type { IncomingStream, StreamEnd } from './port.ts';
import {
  ANSWER_TIMEOUT_MS,
  SILENCE_MS,
  streamHeartbeatSchema,
  type StreamHeartbeatAnswer,
} from './stream-heartbeat.ts';
import { mintStreamId, ownerIn, ownerOf, streamIdOf } from './stream-id.ts';

export type StreamMethod = 'ExecutionLogs' | 'ExecutionResult';

export interface StreamClientOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly requesterId: string;
  readonly log: Logger;
}

export interface StreamWish {
  readonly node: NodeId;
  readonly method: StreamMethod;
  /** The id of the stream is added to it. */
  readonly request: object;
  /** When it fires the reader has left, before the stream is open or later. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

const OPEN_TIMEOUT_MS = 5_000;

interface Held {
  readonly reader: StreamReader;
  /** Uptime of the answer to its open request; undefined until then. */
  openedAt: number | undefined;
  /** Its reader has gone, or everything ends. */
  left: boolean;
}

interface NodeStreams {
  readonly held: Map<string, Held>;
  /** Uptime of the last heartbeat or answer of this node. */
  heardAt: number;
}

export class StreamClient {
  readonly #options: StreamClientOptions;
  readonly #owner: string;
  readonly #nodes = new Map<NodeId, NodeStreams>();
  readonly #subscriptions: readonly Subscription[];
  readonly #unwatch: () => void;
  #watch: Timer | undefined;
  #disposed = false;

  constructor(options: StreamClientOptions) {
    this.#options = options;
    this.#owner = ownerOf(options.requesterId);
    const { transport } = options;
    this.#subscriptions = [
      transport.subscribe(toRequester('*', 'Stream', '*'), (message) => this.#chunk(message)),
      transport.subscribe(toRequester('*', 'StreamHeartbeat'), (message) => this.#beat(message)),
    ];
    this.#unwatch = transport.onConnection((connected, detail) => {
      if (connected) return;
      for (const streams of [...this.#nodes.values()])
        for (const { reader } of [...streams.held.values()])
          reader.close({ code: 'error', message: detail });
    });
  }

  /** Streams that are read now. */
  get open(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + opened(node).length, 0);
  }

  /**
   * Sends the open request and answers the stream.
   * Errors: those of Transport.request, `cancelled`, and the code with which the agent refused.
   */
  async request(wish: StreamWish): Promise<IncomingStream> {
    const { node, method, request, signal, timeoutMs = OPEN_TIMEOUT_MS } = wish;
    if (this.#disposed) throw stopping();
    if (signal?.aborted === true) throw left();
    const { transport, clock, random } = this.#options;
    const id = mintStreamId(this.#owner, clock, random);
    const held = this.#hold(node, id, signal);
    try {
      const payload = encodeJson({ ...request, StreamId: id });
      const answer = await transport.request(toAgent(node, method), payload, timeoutMs);
      const opened = streamOpenedSchema.parse(decodeJson(answer));
      if (opened.type === 'refused') throw refusal(opened.code, opened.message);
      if (held.left) throw this.#disposed ? stopping() : left();
    } catch (thrown) {
      // The agent may have opened it, or may do so yet.
      held.reader.cancel();
      throw thrown;
    }
    held.openedAt = clock.uptime();
    const streams = this.#nodes.get(node);
    if (streams !== undefined) streams.heardAt = held.openedAt;
    return held.reader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#unwatch();
    for (const streams of [...this.#nodes.values()])
      for (const held of [...streams.held.values()]) {
        held.left = true;
        held.reader.cancel();
      }
    this.#watch?.cancel();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    return Promise.resolve();
  }

  #hold(node: NodeId, id: string, signal: AbortSignal | undefined): Held {
    const leave = (): void => {
      held.left = true;
      reader.cancel();
    };
    const reader = new StreamReader({
      sendCredit: (credit) => this.#sendCredit(node, id, credit),
      onClosed: () => {
        signal?.removeEventListener('abort', leave);
        this.#forget(node, id);
      },
    });
    signal?.addEventListener('abort', leave, { once: true });
    const heardAt = this.#options.clock.uptime();
    const streams = this.#nodes.get(node) ?? { held: new Map<string, Held>(), heardAt };
    this.#nodes.set(node, streams);
    const held: Held = { reader, openedAt: undefined, left: false };
    streams.held.set(id, held);
    if (this.#watch === undefined) this.#look();
    return held;
  }

  #forget(node: NodeId, id: string): void {
    const streams = this.#nodes.get(node);
    streams?.held.delete(id);
    if (streams?.held.size === 0) this.#nodes.delete(node);
  }

  #chunk({ subject, payload }: IncomingMessage): undefined {
    const node = parseNodeId(nodeOfSubject(subject));
    const id = streamIdOf(subject);
    const held = this.#nodes.get(node)?.held.get(id);
    if (held !== undefined) held.reader.take(payload);
    else if (ownerIn(id) === this.#owner && !isEnd(payload))
      this.#sendCredit(node, id, { cancel: true });
  }

  #beat({ subject, payload }: IncomingMessage): Uint8Array | undefined {
    const node = parseNodeId(nodeOfSubject(subject));
    const { owner, streams } = streamHeartbeatSchema.parse(decodeJson(payload));
    const known = this.#nodes.get(node);
    if (owner === undefined) {
      for (const { reader } of opened(known))
        reader.close({ code: 'agent-gone', message: `node ${node} has connected anew` });
      return undefined;
    }
    // Another requester's.
    if (owner !== this.#owner) return undefined;
    const served = new Map(streams);
    const now = this.#options.clock.uptime();
    if (known !== undefined) known.heardAt = now;
    for (const held of opened(known)) {
      const next = served.get(held.id);
      if (next !== undefined) held.reader.expect(next);
      // A list that is older than the stream cannot name it.
      else if (now - held.openedAt >= ANSWER_TIMEOUT_MS)
        held.reader.close({ code: 'error', message: 'the node has let go of the stream' });
    }
    const ids = streams.map(([id]) => id);
    const answer: StreamHeartbeatAnswer = {
      unwanted: ids.filter((id) => known?.held.has(id) !== true),
      consumed: ids.map((id) => known?.held.get(id)?.reader.consumed ?? 0),
    };
    return encodeJson(answer);
  }

  /** Ends the streams of nodes that have been silent for too long, and comes back when the next may be. */
  #look(): void {
    const { clock, log } = this.#options;
    const now = clock.uptime();
    for (const [node, { held, heardAt }] of [...this.#nodes]) {
      if (now - heardAt < SILENCE_MS) continue;
      const end: StreamEnd = { code: 'agent-gone', message: `node ${node} is silent` };
      log.warn('streams.node-silent', { node, streams: held.size });
      for (const { reader } of [...held.values()]) reader.fail(end);
    }
    const heard = [...this.#nodes.values()].map(({ heardAt }) => heardAt);
    this.#watch =
      heard.length === 0
        ? undefined
        : clock.after(Math.min(...heard) + SILENCE_MS - now, () => this.#look());
  }

  /** Without a connection the stream has ended anyway. */
  #sendCredit(node: NodeId, id: string, credit: Credit): void {
    try {
      this.#options.transport.publish(toAgent(node, 'Stream', id), encodeCredit(credit));
    } catch {
      return;
    }
  }
}

interface Opened {
  readonly id: string;
  readonly reader: StreamReader;
  readonly openedAt: number;
}

function opened(streams: NodeStreams | undefined): readonly Opened[] {
  return [...(streams?.held ?? [])].flatMap(([id, { reader, openedAt }]) =>
    openedAt === undefined ? [] : [{ id, reader, openedAt }],
  );
}

function refusal(code: string, message: string): LimpetError {
  const known: ErrorCode = ERROR_CODES.find((each) => each === code) ?? 'internal';
  return new LimpetError(known, message);
}

function stopping(): LimpetError {
  return new LimpetError('unavailable', 'the requester is stopping');
}

function left(): LimpetError {
  return new LimpetError('cancelled', 'the reader left');
}
