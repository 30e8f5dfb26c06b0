/**
 * A log on its whole way: what a run prints, the plugin that stores it, the agent that sends it, the requester that hands it
 * out, and its readers, all as they are, over a broker within the test. Each of them can die, and each connection break.
 */
import { create } from '@bufbuild/protobuf';
import { truncateSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import type { StreamServer } from '../../adapters/streams/port.ts';
import { createStreamServer } from '../../adapters/streams/stream-server.ts';
import { LogSource } from '../../agent/link/log-source.ts';
import type { ExecutorClient } from '../../agent/plugins/port.ts';
import { EitherSignal } from '../../core/either-signal.ts';
import { LimpetError } from '../../core/errors.ts';
import {
  LogsResponseSchema,
  type LogsResponse,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { readLog } from '../../plugins/sdk/log-reader.ts';
import { LogWriter, type LogLimits } from '../../plugins/sdk/log-writer.ts';
import { pieceToWire } from '../../plugins/sdk/wire-runs.ts';
import { TapTable } from '../../requester/logs/tap-table.ts';
import { NodeStreams } from '../../requester/nodes/streams.ts';
import { logsRequestSchema } from '../../wire/messages.ts';
import { toAgent } from '../../wire/subjects.ts';
import { MemoryBroker, type MemoryTransport } from '../kit/memory-broker.ts';
import { record } from '../kit/records.ts';
import { anExecution } from '../logs/scripted-followers.ts';
import { Printed } from './printed.ts';
import { WayReader, type Way } from './way-reader.ts';

const LIMITS: LogLimits = { segmentBytes: 64 * 1024, segments: 4 };
const RING_BYTES = 32 * 1024;
const NOW_MS = 1_700_000_000_000;
const TURN_MS = 250;
/** What one side lets go of, or leaves by its death, the other knows by then. */
const FREED_MS = 18_000;

type Logs = ExecutorClient['logs'];

interface Plugin {
  readonly log: LogWriter;
  readonly dead: AbortController;
}

interface Agent {
  readonly transport: MemoryTransport;
  readonly server: StreamServer;
}

interface Requester {
  readonly transport: MemoryTransport;
  readonly streams: NodeStreams;
  readonly taps: TapTable;
}

export class LogWay implements Way {
  readonly printed = new Printed();
  readonly readers: WayReader[] = [];
  readonly execution = anExecution();
  readonly #clock = new FakeClock(NOW_MS, 0, answered);
  readonly #folder: string;
  readonly #broker: MemoryBroker;
  #plugin: Plugin | undefined;
  #agent: Agent | undefined;
  #requester: Requester;
  #isOver = false;
  readonly seen = { rotated: 0, torn: 0, cut: 0, resumed: 0 };

  private constructor(folder: string) {
    this.#folder = folder;
    this.#broker = new MemoryBroker(this.#clock);
    this.#requester = this.#newRequester();
  }

  static async open(folder: string): Promise<LogWay> {
    const way = new LogWay(folder);
    await way.startPlugin();
    way.startAgent();
    return way;
  }

  get requester(): Requester {
    return this.#requester;
  }

  get oldest(): number {
    return this.#plugin?.log.segments[0]?.start ?? Infinity;
  }

  /** Carries what was printed into the log, a few chunks of it. */
  pump(chunks: number, mostBytes: number): void {
    if (this.#plugin === undefined) return;
    const { log } = this.#plugin;
    for (let count = 0; count < chunks; count += 1) {
      const chunk = this.printed.next(Number(log.cursorOf(0)), mostBytes);
      if (chunk === undefined) return;
      const before = log.segments[0]?.file;
      log.append(0, { ...chunk, timeMs: this.#clock.now() });
      if (before !== undefined && log.segments[0]?.file !== before) this.seen.rotated += 1;
    }
  }

  /** The last part of what it wrote last is not on the disk. */
  killPlugin(torn: number): void {
    const { log, dead } = this.#plugin ?? {};
    const last = log?.segments.at(-1);
    this.#plugin = undefined;
    log?.close();
    dead?.abort();
    if (last === undefined || torn === 0) return;
    this.seen.torn += 1;
    truncateSync(last.file, Math.max(0, last.bytes - torn));
  }

  async startPlugin(): Promise<void> {
    if (this.#plugin !== undefined) return;
    this.#plugin = { log: await LogWriter.open(this.#folder, LIMITS), dead: new AbortController() };
  }

  killAgent(): void {
    this.#agent?.transport.die();
    void this.#agent?.server[Symbol.asyncDispose]();
    this.#agent = undefined;
  }

  startAgent(): void {
    if (this.#agent !== undefined) return;
    const transport = this.#broker.connect();
    const { nodeId } = this.execution;
    const parts = { transport, nodeId, clock: this.#clock, log: silentLog };
    const server = createStreamServer(parts);
    transport.subscribe(toAgent(nodeId, 'ExecutionLogs'), ({ payload }) => {
      const request = logsRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
      const deps = {
        clock: this.#clock,
        record: async () => record({ state: this.#isOver ? 'completed' : 'running' }),
        client: () => (this.#plugin === undefined ? undefined : { logs: this.#logs }),
      };
      server.serve(request.StreamId, (signal) => new LogSource(deps, request, signal).pieces());
      return Buffer.from(JSON.stringify({ type: 'opened', streamId: request.StreamId }));
    });
    this.#agent = { transport, server };
  }

  /** Its readers come back to the new one by themselves. */
  restartRequester(): void {
    const { transport, streams } = this.#requester;
    transport.die();
    void streams[Symbol.asyncDispose]();
    this.#requester = this.#newRequester();
    for (const reader of this.readers) reader.disconnect();
  }

  end(who: 'agent' | 'requester'): MemoryTransport | undefined {
    return who === 'agent' ? this.#agent?.transport : this.#requester.transport;
  }

  /** A reader from an offset. */
  join(from: number): void {
    this.readers.push(new WayReader(this, from));
  }

  async pass(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  /** All is mended, the run ends, and who has not left reads to the end. */
  async finish(): Promise<void> {
    await this.startPlugin();
    this.startAgent();
    for (const who of ['agent', 'requester'] as const) {
      Object.assign(this.end(who) ?? {}, { deaf: false, loses: 0 });
      this.end(who)?.connection(true);
    }
    this.pump(Infinity, 64 * 1024);
    this.#plugin?.log.markEnd(0, 'finished');
    this.#isOver = true;
    for (const reader of this.readers) reader.stall(false);
    for (let turn = 0; turn < 600 && !this.readers.every((one) => one.isOver); turn += 1)
      await this.pass(TURN_MS);
    for (let passed = 0; passed < FREED_MS && !this.#isFree; passed += TURN_MS)
      await this.pass(TURN_MS);
    for (const { resumed } of this.readers) this.seen.resumed += resumed;
  }

  /** '' when each reader has got what it had to. */
  faults(): string {
    return this.readers
      .map((reader, number) => [number, reader.fault(this.printed.end)] as const)
      .flatMap(([number, fault]) => (fault === '' ? [] : [`reader ${number}: ${fault}`]))
      .join('; ');
  }

  /** Streams that the two sides hold. */
  get streams(): { readonly agent: number; readonly requester: number } {
    return { agent: this.#agent?.server.open ?? 0, requester: this.#requester.streams.open };
  }

  get #isFree(): boolean {
    const { agent, requester } = this.streams;
    return agent + requester === 0;
  }

  async close(): Promise<void> {
    for (const reader of this.readers) reader.leave();
    this.killAgent();
    this.killPlugin(0);
    await this.#requester.streams[Symbol.asyncDispose]();
  }

  /** The calls of the plugin that lives now. */
  readonly #logs: Logs = (order, signal) => this.#answer(order, signal);

  async *#answer(
    { fromOffset, tailLines, follow, sinceMs }: Parameters<Logs>[0],
    signal: AbortSignal,
  ): AsyncGenerator<LogsResponse> {
    const plugin = this.#plugin;
    if (plugin === undefined) throw new LimpetError('unavailable', 'the plugin is away');
    using either = new EitherSignal(signal, plugin.dead.signal);
    const wanted = { fromOffset: Number(fromOffset), sinceMs: Number(sinceMs) };
    const request = { ...wanted, tailLines, follow };
    for await (const piece of readLog(plugin.log, request, either.signal)) {
      if (plugin.dead.signal.aborted) break;
      yield create(LogsResponseSchema, pieceToWire(piece));
    }
    if (plugin.dead.signal.aborted) throw new LimpetError('plugin-failed', 'it was killed');
  }

  #newRequester(): Requester {
    const transport = this.#broker.connect();
    const streams = new NodeStreams({
      ...{ transport, clock: this.#clock, random: systemRandom, log: silentLog },
      ...{ requesterId: 'r-1', requestTimeoutMs: 5_000 },
    });
    const taps = new TapTable(
      {
        clock: this.#clock,
        open: (execution, wish) => streams.logs(execution, wish),
        now: async () => ({ ...this.execution, state: this.#isOver ? 'completed' : 'running' }),
        isAway: () => this.#agent === undefined,
      },
      RING_BYTES,
    );
    return { transport, streams, taps };
  }
}

/** The disk has answered what it was asked before. */
async function answered(): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    await stat('/');
    await turn();
  }
}
