/** The agent's side: serves sources as numbered chunks and keeps the heartbeat of all its streams. */
import type { NodeId } from '../../core/ids.ts';
import { uuidV7 } from '../../core/ids.ts';
import { toAgent, toRequester } from '../../wire/subjects.ts';
import type { Clock, Random, Timer } from '../clock/port.ts';
import type { Logger } from '../log/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../nats/port.ts';
import { decodeCredit, decodeJson, encodeJson } from './frames.ts';
import { OutgoingStream } from './outgoing-stream.ts';
import type { StreamEnd, StreamServer } from './port.ts';
import {
  ANSWER_TIMEOUT_MS,
  HEARTBEAT_MS,
  MISSES,
  streamHeartbeatAnswerSchema,
} from './stream-heartbeat.ts';

export interface StreamServerOptions {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export function createStreamServer(options: StreamServerOptions): StreamServer {
  return new NatsStreamServer(options);
}

class NatsStreamServer implements StreamServer {
  readonly #options: StreamServerOptions;
  readonly #credits: Subscription;
  readonly #unwatch: () => void;
  readonly #streams = new Map<
    string,
    { readonly stream: OutgoingStream; readonly run: Promise<void> }
  >();
  #beat: Timer | undefined;
  #misses = 0;
  #disposed = false;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const subject = toAgent(options.nodeId, 'Stream', '*');
    this.#credits = options.transport.subscribe(subject, (message) => this.#credit(message));
    this.#unwatch = options.transport.onConnection((connected, detail) => {
      // Chunks on their way may be lost, so no stream survives its connection; the reader resumes by offset.
      if (!connected) this.#stopAll({ code: 'requester-gone', message: detail });
      // Readers of streams that died with an earlier agent hear it now and come back, not after a long silence.
      else void this.#heartbeat();
    });
  }

  get open(): number {
    return this.#streams.size;
  }

  serve(source: AsyncIterable<Uint8Array>): string {
    const { transport, nodeId, clock, random } = this.#options;
    const id = uuidV7(clock.now(), random.bytes(10));
    const subject = toRequester(nodeId, 'Stream', id);
    const stream = new OutgoingStream(source, (payload) => transport.publish(subject, payload));
    if (this.#disposed) stream.stop({ code: 'agent-gone', message: 'the agent is stopping' });
    const run = stream.run().then(() => {
      this.#streams.delete(id);
    });
    this.#streams.set(id, { stream, run });
    this.#beat ??= clock.after(HEARTBEAT_MS, () => void this.#heartbeat());
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#beat?.cancel();
    this.#unwatch();
    const runs = [...this.#streams.values()].map((each) => each.run);
    this.#stopAll({ code: 'agent-gone', message: 'the agent is stopping' });
    await Promise.all(runs);
    this.#credits.unsubscribe();
  }

  #credit(message: IncomingMessage): undefined {
    const id = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const open = this.#streams.get(id);
    if (open === undefined) return;
    const credit = decodeCredit(message.payload);
    if ('cancel' in credit) open.stream.stop({ code: 'reader-gone', message: 'the reader left' });
    else open.stream.credit(credit.bytes);
  }

  async #heartbeat(): Promise<void> {
    const { transport, nodeId, clock } = this.#options;
    const asked = [...this.#streams.keys()];
    try {
      const payload = encodeJson({ streams: asked });
      const subject = toRequester(nodeId, 'StreamHeartbeat');
      const answer = await transport.request(subject, payload, ANSWER_TIMEOUT_MS);
      const { unwanted } = streamHeartbeatAnswerSchema.parse(decodeJson(answer));
      for (const id of unwanted) {
        this.#streams.get(id)?.stream.stop({ code: 'reader-gone', message: 'nobody reads it' });
      }
      this.#misses = 0;
    } catch {
      this.#misses += 1;
      if (this.#misses >= MISSES) {
        this.#misses = 0;
        this.#stopAll({ code: 'requester-gone', message: `no answer to ${MISSES} heartbeats` });
      }
    }
    this.#beat?.cancel();
    this.#beat =
      this.#disposed || this.#streams.size === 0
        ? undefined
        : clock.after(HEARTBEAT_MS, () => void this.#heartbeat());
  }

  #stopAll(end: StreamEnd): void {
    if (this.#streams.size > 0)
      this.#options.log.info('streams.stopped', { open: this.open, ...end });
    for (const { stream } of this.#streams.values()) stream.stop(end);
  }
}
