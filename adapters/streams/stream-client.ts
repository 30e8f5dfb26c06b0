/**
 * The requester's side. One subscription for the chunks of all nodes exists before any stream is asked for; chunks that
 * arrive before the answer to their open request are kept for it, at most a window for each open request under way.
 * A chunk that nobody waits for is answered by a cancel.
 */
import { LimpetError, type ErrorCode, ERROR_CODES } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';
import { streamOpenedSchema } from '../../wire/messages.ts';
import { nodeOfSubject, toAgent, toRequester } from '../../wire/subjects.ts';
import type { Clock, Timer } from '../clock/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../nats/port.ts';
import { decodeJson, encodeCredit, encodeJson, WINDOW_BYTES, type Credit } from './frames.ts';
import { StreamReader } from './incoming-stream.ts';
import type { IncomingStream, StreamEnd } from './port.ts';
import { HEARTBEAT_MS, SILENCE_MS, streamHeartbeatSchema } from './stream-heartbeat.ts';

export type StreamMethod = 'ExecutionLogs' | 'ExecutionResult';

const OPEN_TIMEOUT_MS = 5_000;
/** Chunk heads come on top of the window's bytes; small chunks make many of them. */
const EARLY_BYTES = 2 * WINDOW_BYTES;

interface NodeStreams {
  readonly readers: Map<string, StreamReader>;
  /** Chunks by stream id whose open request has not been answered yet. */
  readonly early: Map<string, Uint8Array[]>;
  earlyBytes: number;
  /** Open requests under way. */
  opening: number;
  /** Uptime of the last word of this node. */
  heardAt: number;
}

export class StreamClient {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #nodes = new Map<NodeId, NodeStreams>();
  readonly #subscriptions: readonly Subscription[];
  readonly #unwatch: () => void;
  #watch: Timer | undefined;
  #disposed = false;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
    this.#subscriptions = [
      transport.subscribe(toRequester('*', 'Stream', '*'), (message) => this.#chunk(message)),
      transport.subscribe(toRequester('*', 'StreamHeartbeat'), (message) => this.#beat(message)),
    ];
    this.#unwatch = transport.onConnection((connected, detail) => {
      if (!connected) this.#endAll({ code: 'error', message: detail });
    });
  }

  /** Streams that are read now. */
  get open(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + node.readers.size, 0);
  }

  /**
   * Sends the open request and answers the stream.
   * Errors: those of Transport.request, and the code with which the agent refused.
   */
  async request(
    node: NodeId,
    method: StreamMethod,
    request: unknown,
    timeoutMs = OPEN_TIMEOUT_MS,
  ): Promise<IncomingStream> {
    if (this.#disposed) throw new LimpetError('unavailable', 'the requester is stopping');
    const streams = this.#streamsOf(node);
    streams.opening += 1;
    try {
      const subject = toAgent(node, method);
      const answer = await this.#transport.request(subject, encodeJson(request), timeoutMs);
      const opened = streamOpenedSchema.parse(decodeJson(answer));
      if (opened.type === 'refused') throw refusal(opened.code, opened.message);
      return this.#claim(node, streams, opened.streamId);
    } finally {
      streams.opening -= 1;
      this.#dropUnclaimed(node, streams);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#unwatch();
    this.#watch?.cancel();
    for (const { readers } of this.#nodes.values()) for (const r of readers.values()) r.cancel();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    return Promise.resolve();
  }

  #claim(node: NodeId, streams: NodeStreams, id: string): StreamReader {
    const reader = new StreamReader({
      sendCredit: (credit) => this.#sendCredit(node, id, credit),
      onClosed: () => {
        streams.readers.delete(id);
        this.#forget(node, streams);
      },
    });
    streams.readers.set(id, reader);
    streams.heardAt = this.#clock.uptime();
    this.#watch ??= this.#clock.after(HEARTBEAT_MS, () => this.#look());
    for (const payload of streams.early.get(id) ?? []) {
      streams.earlyBytes -= payload.length;
      reader.take(payload);
    }
    streams.early.delete(id);
    return reader;
  }

  #chunk(message: IncomingMessage): undefined {
    const node = parseNodeId(nodeOfSubject(message.subject));
    const id = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const streams = this.#nodes.get(node);
    const reader = streams?.readers.get(id);
    if (streams !== undefined) streams.heardAt = this.#clock.uptime();
    if (reader !== undefined) reader.take(message.payload);
    else if (streams !== undefined && streams.opening > 0) keepEarly(streams, id, message.payload);
    else this.#sendCredit(node, id, { cancel: true });
  }

  /** A reader that is not on the node's list has missed its end: messages of one node come in order. */
  #beat(message: IncomingMessage): Uint8Array {
    const node = parseNodeId(nodeOfSubject(message.subject));
    const { streams: served } = streamHeartbeatSchema.parse(decodeJson(message.payload));
    const known = this.#nodes.get(node);
    if (known === undefined) return encodeJson({ unwanted: served });
    known.heardAt = this.#clock.uptime();
    const unwanted = known.opening > 0 ? [] : served.filter((id) => !known.readers.has(id));
    for (const [id, reader] of [...known.readers]) {
      if (!served.includes(id)) reader.close({ code: 'error', message: 'the stream was cut' });
    }
    return encodeJson({ unwanted });
  }

  /** Ends the streams of nodes that have been silent for too long. */
  #look(): void {
    for (const [node, streams] of [...this.#nodes]) {
      if (this.#clock.uptime() - streams.heardAt <= SILENCE_MS) continue;
      endReaders(streams, { code: 'agent-gone', message: `node ${node} is silent` });
    }
    this.#watch = this.open === 0 ? undefined : this.#clock.after(HEARTBEAT_MS, () => this.#look());
  }

  #endAll(end: StreamEnd): void {
    for (const streams of [...this.#nodes.values()]) endReaders(streams, end);
  }

  #dropUnclaimed(node: NodeId, streams: NodeStreams): void {
    if (streams.opening > 0) return;
    for (const id of streams.early.keys()) this.#sendCredit(node, id, { cancel: true });
    streams.early.clear();
    streams.earlyBytes = 0;
    this.#forget(node, streams);
  }

  #streamsOf(node: NodeId): NodeStreams {
    const heardAt = this.#clock.uptime();
    const fresh = { readers: new Map(), early: new Map(), earlyBytes: 0, opening: 0, heardAt };
    const streams: NodeStreams = this.#nodes.get(node) ?? fresh;
    this.#nodes.set(node, streams);
    return streams;
  }

  #forget(node: NodeId, streams: NodeStreams): void {
    if (streams.opening === 0 && streams.readers.size === 0) this.#nodes.delete(node);
  }

  /** Without a connection the stream has ended anyway. */
  #sendCredit(node: NodeId, id: string, credit: Credit): void {
    if (!this.#transport.connected) return;
    this.#transport.publish(toAgent(node, 'Stream', id), encodeCredit(credit));
  }
}

/** Beyond the bound it is dropped; the reader then ends with a gap. */
function keepEarly(streams: NodeStreams, id: string, payload: Uint8Array): void {
  if (streams.earlyBytes + payload.length > EARLY_BYTES * streams.opening) return;
  streams.earlyBytes += payload.length;
  const kept = streams.early.get(id) ?? [];
  kept.push(payload);
  streams.early.set(id, kept);
}

function endReaders(streams: NodeStreams, end: StreamEnd): void {
  for (const reader of [...streams.readers.values()]) reader.close(end);
}

function refusal(code: string, message: string): LimpetError {
  const known: ErrorCode = ERROR_CODES.find((each) => each === code) ?? 'internal';
  return new LimpetError(known, message);
}
