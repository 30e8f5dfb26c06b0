/** The agent's side: serves sources as numbered chunks and keeps the heartbeat of all its streams. */
import { LimpetError } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import { toAgent, toRequester } from '../../wire/subjects.ts';
import type { Clock, Timer } from '../clock/port.ts';
import type { Logger } from '../log/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../nats/port.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import { decodeCredit, decodeJson, encodeJson, HEAD_BYTES } from './frames.ts';
import { OutgoingStream } from './outgoing-stream.ts';
import type { Piece, StreamEnd, StreamServer } from './port.ts';
import {
  ANSWER_TIMEOUT_MS,
  BEAT_BYTES,
  HEARTBEAT_MS,
  MISSES,
  streamHeartbeatAnswerSchema,
  type StreamHeartbeat,
} from './stream-heartbeat.ts';
import { ownerIn, streamIdOf } from './stream-id.ts';

export interface StreamServerOptions {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createStreamServer(options: StreamServerOptions): StreamServer {
  return new NatsStreamServer(options);
}

interface Served {
  readonly stream: OutgoingStream;
  /** Resolves when its end was sent. */
  readonly ended: Promise<void>;
  /** Heartbeats in a row that were not answered since it is open. */
  misses: number;
}

class NatsStreamServer implements StreamServer {
  readonly #options: StreamServerOptions;
  readonly #credits: Subscription;
  readonly #unwatch: () => void;
  readonly #streams = new Map<string, Served>();
  readonly #buffers = new ChunkBuffers();
  #timer: Timer | undefined;
  #disposed = false;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const subject = toAgent(options.nodeId, 'Stream', '*');
    this.#credits = options.transport.subscribe(subject, (message) => this.#credit(message));
    this.#unwatch = options.transport.onConnection((connected, detail) => {
      // Chunks on their way may be lost, so no stream survives its connection; the reader resumes by offset.
      if (!connected) this.#stopAll({ code: 'requester-gone', message: detail });
      // Readers of streams that died with an earlier agent hear it now and come back, not after a long silence.
      else this.#hello();
    });
  }

  get open(): number {
    return this.#streams.size;
  }

  serve(streamId: string, open: (signal: AbortSignal) => AsyncIterable<Piece>): void {
    const { transport, nodeId, clock } = this.#options;
    if (this.#disposed) throw new LimpetError('unavailable', 'the agent is stopping');
    if (this.#streams.has(streamId))
      throw new LimpetError('conflict', `there is a stream ${streamId} already`);
    if ((this.open + 1) * BEAT_BYTES > transport.maxPayload)
      throw new LimpetError(
        'exhausted',
        `this node serves ${this.open} streams, which is as many as it can keep alive at this broker; try again later`,
      );
    const subject = toRequester(nodeId, 'Stream', streamId);
    const send = (payload: Uint8Array): void => transport.publish(subject, payload);
    const stream = new OutgoingStream({
      ...{ open, send, buffers: this.#buffers },
      mostBytes: transport.maxPayload - HEAD_BYTES,
    });
    const ended = stream.run();
    this.#streams.set(streamId, { stream, ended, misses: 0 });
    void ended.then(() => stream.close()).then(() => void this.#streams.delete(streamId));
    this.#timer ??= clock.after(HEARTBEAT_MS, () => void this.#heartbeat());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#unwatch();
    this.#stopAll({ code: 'agent-gone', message: 'the agent is stopping' });
    await Promise.all([...this.#streams.values()].map(({ ended }) => ended));
    this.#credits.unsubscribe();
  }

  #credit(message: IncomingMessage): undefined {
    const served = this.#streams.get(streamIdOf(message.subject));
    if (served === undefined) return;
    const credit = decodeCredit(message.payload);
    if ('cancel' in credit) served.stream.stop({ code: 'reader-gone', message: 'the reader left' });
    else served.stream.credit(credit.bytes);
  }

  /** When the connection is lost again meanwhile, the next one says it. */
  #hello(): void {
    const { transport, nodeId } = this.#options;
    const beat: StreamHeartbeat = { streams: [] };
    try {
      transport.publish(toRequester(nodeId, 'StreamHeartbeat'), encodeJson(beat));
    } catch {
      return;
    }
  }

  /** Begins each HEARTBEAT_MS as long as there are streams, however long the answers take. */
  async #heartbeat(): Promise<void> {
    const { clock } = this.#options;
    const beganAt = clock.uptime();
    const live = [...this.#streams].filter(([, { stream }]) => !stream.isEnding);
    const owners = new Set(live.map(([id]) => ownerIn(id)));
    await Promise.all(
      [...owners].map((owner) =>
        this.#ask(
          owner,
          live.filter(([id]) => ownerIn(id) === owner),
        ),
      ),
    );
    const pause = Math.max(0, HEARTBEAT_MS - (clock.uptime() - beganAt));
    this.#timer =
      this.#disposed || this.open === 0
        ? undefined
        : clock.after(pause, () => void this.#heartbeat());
  }

  async #ask(owner: string, asked: readonly (readonly [string, Served])[]): Promise<void> {
    const { transport, nodeId } = this.#options;
    try {
      const beat: StreamHeartbeat = {
        owner,
        streams: asked.map(([id, { stream }]) => [id, stream.next]),
      };
      const subject = toRequester(nodeId, 'StreamHeartbeat');
      const answer = await transport.request(subject, encodeJson(beat), ANSWER_TIMEOUT_MS);
      const { unwanted, consumed } = streamHeartbeatAnswerSchema.parse(decodeJson(answer));
      const gone = new Set(unwanted);
      for (const [at, [id, served]] of asked.entries()) {
        served.misses = 0;
        served.stream.credit(consumed[at] ?? 0);
        if (gone.has(id)) served.stream.stop({ code: 'reader-gone', message: 'nobody reads it' });
      }
    } catch {
      for (const [, served] of asked) {
        served.misses += 1;
        if (served.misses < MISSES) continue;
        const message = `no answer to ${MISSES} heartbeats`;
        this.#log(1, { code: 'requester-gone', message });
        served.stream.stop({ code: 'requester-gone', message });
      }
    }
  }

  #stopAll(end: StreamEnd): void {
    if (this.open > 0) this.#log(this.open, end);
    for (const { stream } of this.#streams.values()) stream.stop(end);
  }

  #log(streams: number, end: StreamEnd): void {
    this.#options.log.info('streams.stopped', { streams, ...end });
  }
}
