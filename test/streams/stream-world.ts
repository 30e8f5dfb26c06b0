/** An agent's and a requester's half of streams, each with a transport of its own over a real broker. */
import { createHash } from 'node:crypto';
import type { Test } from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { startDevBroker } from '../../adapters/dev-broker/broker.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { IncomingStream, StreamServer } from '../../adapters/streams/port.ts';
import { StreamClient } from '../../adapters/streams/stream-client.ts';
import { createStreamServer } from '../../adapters/streams/stream-server.ts';
import { parseNodeId } from '../../core/ids.ts';
import { toAgent } from '../../wire/subjects.ts';
import { LossyTransport } from './lossy-transport.ts';

export const NODE = parseNodeId('n-1');
export const MIB = 1024 * 1024;

export type Source = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

export interface World {
  readonly url: string;
  readonly agent: LossyTransport;
  readonly requester: LossyTransport;
  readonly clock: FakeClock;
  readonly server: StreamServer;
  readonly client: StreamClient;
  /** Asks for a stream of what `source` gives. */
  open(source: Source, signal?: AbortSignal): Promise<IncomingStream>;
  /** Everything that was sent until now is there. */
  settled(): Promise<void>;
  /** A requester's half beside the first. */
  another(requesterId: string): Promise<StreamClient>;
}

export async function streamWorld(t: Test, url?: string): Promise<World> {
  const at = url ?? (await devBroker(t));
  const [agent, requester] = [await connect(t, at, 'n-1'), await connect(t, at, 'requester')];
  const clock = new FakeClock();
  const server = createStreamServer({ transport: agent, nodeId: NODE, clock, log: silentLog });
  const common = { clock, random: systemRandom, log: silentLog };
  const client = new StreamClient({ ...common, transport: requester, requesterId: 'one' });
  t.teardown(() => client[Symbol.asyncDispose]());
  t.teardown(() => server[Symbol.asyncDispose]());
  let source: Source;
  agent.subscribe(toAgent(NODE, 'ExecutionLogs'), async ({ payload }) => {
    const { StreamId } = JSON.parse(Buffer.from(payload).toString());
    server.serve(StreamId, source);
    // The answer comes after the first chunks, which is the hard order for the reader.
    await trip(agent);
    return Buffer.from(JSON.stringify({ type: 'opened', streamId: StreamId }));
  });
  await trip(agent);
  return {
    ...{ url: at, agent, requester, clock, server, client },
    open: (next, signal) => {
      source = next;
      return client.request({ node: NODE, method: 'ExecutionLogs', request: {}, signal });
    },
    settled: async () => {
      for (const each of [agent, requester, agent, requester]) await trip(each);
    },
    another: async (requesterId) => {
      const transport = await connect(t, at, requesterId);
      const other = new StreamClient({ ...common, transport, requesterId });
      t.teardown(() => other[Symbol.asyncDispose]());
      await trip(transport);
      return other;
    },
  };
}

async function devBroker(t: Test): Promise<string> {
  const broker = await startDevBroker({ host: '127.0.0.1', port: 0 });
  t.teardown(() => broker[Symbol.asyncDispose]());
  return broker.url;
}

async function connect(t: Test, url: string, name: string): Promise<LossyTransport> {
  const options = { servers: [url], name, inboxPrefix: `_INBOX.${name}` };
  const transport = new LossyTransport(await connectTransport(options, silentLog));
  t.teardown(() => transport[Symbol.asyncDispose]());
  return transport;
}

/** Broker and back: what was sent before on this connection is behind it. */
async function trip(transport: Transport): Promise<void> {
  await transport.request('nobody', new Uint8Array(), 5_000).catch(() => undefined);
}

/** No two chunks of it are the same soon. */
const PATTERN = Buffer.from(Array.from({ length: 251 }, (_, i) => (i * 31) % 251));

/** The same bytes again and again, in pieces of uneven size; tells how far it was read and whether it was returned. */
export function numbers(totalBytes: number, pieceBytes = 100_003) {
  const seen = { read: 0, returned: false };
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      while (seen.read < totalBytes) {
        const size = Math.min(pieceBytes, totalBytes - seen.read);
        const begin = seen.read % PATTERN.length;
        seen.read += size;
        yield Buffer.alloc(begin + size, PATTERN).subarray(begin);
        await Promise.resolve();
      }
    } finally {
      seen.returned = true;
    }
  }
  return { seen, source };
}

/** Yields what `say` is called with, and waits in between until the signal fires. */
export function talker() {
  const words: Uint8Array[] = [];
  const seen = { returned: false };
  let wake: () => void = () => undefined;
  async function* source(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const word = words.shift();
        if (word !== undefined) yield word;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      seen.returned = true;
    }
  }
  const say = (text: string): void => {
    words.push(Buffer.from(text));
    wake();
  };
  return { source, say, seen };
}

export async function digest(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: number; readonly sha: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of source) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha: hash.digest('hex') };
}

export async function textOf(stream: IncomingStream): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream.chunks()) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
