/**
 * Serves log streams and result archives to the requester: one answer to the open request, then chunks.
 * A log stream is newline-delimited JSON (`LogItem`), an archive is the bytes of a tar.gz.
 */
import { LimpetError, type ErrorCode } from '../../core/errors.ts';
import { parseExecutionId, type ExecutionId } from '../../core/ids.ts';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Subscription, Transport } from '../../adapters/nats/port.ts';
import type { StreamServer } from '../../adapters/streams/port.ts';
import {
  LogsResponse_Stream,
  type LogsResponse,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import {
  logsRequestSchema,
  resultRequestSchema,
  type LogItem,
  type LogsRequest,
  type StreamOpened,
} from '../../wire/messages.ts';
import type { NodeId } from '../../core/ids.ts';
import { toAgent } from '../../wire/subjects.ts';
import type { AgentFolders } from '../executions/folders.ts';
import { resultArchive } from '../executions/results.ts';
import type { ExecutorClient } from '../plugins/port.ts';

export interface StreamsDeps {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly server: StreamServer;
  readonly folders: AgentFolders;
  readonly clock: Clock;
  readonly log: Logger;
  record(id: ExecutionId): Promise<ExecutionRecord | undefined>;
  client(executor: string): ExecutorClient | undefined;
}

const NOT_YET_MS = 50;
/** What a stream ends with when its plugin has gone away; the next one is waited for this long. */
const LOST: readonly ErrorCode[] = ['unavailable', 'plugin-failed'];
const LOST_MS = 30_000;
const LOST_RETRY_MS = 200;
const NOT_BEGUN: readonly ExecutionState[] = ['accepted', 'preparing', 'starting'];
const NAMES = { 1: 'stdout', 2: 'stderr', 3: 'gap' } as const;

export class AgentStreams {
  readonly #deps: StreamsDeps;
  #subscriptions: readonly Subscription[] = [];

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { transport, nodeId } = this.#deps;
    this.#subscriptions = [
      transport.subscribe(toAgent(nodeId, 'ExecutionLogs'), (m) =>
        this.#open(() => this.#logs(m.payload)),
      ),
      transport.subscribe(toAgent(nodeId, 'ExecutionResult'), (m) =>
        this.#open(() => this.#result(m.payload)),
      ),
    ];
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  async #open(source: () => Promise<AsyncIterable<Uint8Array>>): Promise<Uint8Array> {
    let answer: StreamOpened;
    try {
      answer = { type: 'opened', streamId: this.#deps.server.serve(await source()) };
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      this.#deps.log.info('stream.refused', { reason: error.message });
      answer = { type: 'refused', code: error.code, message: error.message };
    }
    return Buffer.from(JSON.stringify(answer));
  }

  async #result(payload: Uint8Array): Promise<AsyncIterable<Uint8Array>> {
    const request = resultRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    return resultArchive(this.#deps.folders, parseExecutionId(request.ExecutionId));
  }

  async #logs(payload: Uint8Array): Promise<AsyncIterable<Uint8Array>> {
    const request = logsRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    await this.#known(request.ExecutionId);
    return this.#logLines(request);
  }

  async *#logLines(request: LogsRequest): AsyncGenerator<Uint8Array> {
    const stop = new AbortController();
    try {
      const wanted = new Set<string>(request.Streams);
      for await (const message of this.#frames(request, stop.signal)) {
        const cut = cutOf(message, this.#deps.clock.now());
        const lines = message.frames.flatMap((frame) => {
          const stream =
            frame.stream === LogsResponse_Stream.UNSPECIFIED ? 'gap' : NAMES[frame.stream];
          if (stream !== 'gap' && wanted.size > 0 && !wanted.has(stream)) return [];
          const item: LogItem = {
            stream,
            timeMs: Number(frame.timeMs),
            offset: Number(frame.offset),
            data: Buffer.from(frame.data).toString('base64'),
          };
          return [`${JSON.stringify(item)}\n`];
        });
        if (cut !== undefined) lines.unshift(`${JSON.stringify(cut)}\n`);
        if (lines.length > 0) yield Buffer.from(lines.join(''));
      }
    } finally {
      stop.abort();
    }
  }

  /**
   * The plugin's stream, opened once the run may have begun. When its plugin is lost meanwhile, it goes on where it was with
   * the next one.
   */
  async *#frames(request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogsResponse> {
    const { clock } = this.#deps;
    const { executor } = await this.#begun(request, signal);
    let from = { fromOffset: BigInt(request.FromOffset), tailLines: request.Tail ?? 0 };
    let client = this.#client(executor);
    for (let lostAt: number | undefined; ;) {
      try {
        for await (const message of client.logs(await this.#order(request, from), signal)) {
          from = { fromOffset: message.nextOffset, tailLines: 0 };
          lostAt = undefined;
          yield message;
        }
        return;
      } catch (thrown) {
        if (signal.aborted || !LOST.includes(LimpetError.from(thrown).code)) throw thrown;
        lostAt ??= clock.uptime();
        if (clock.uptime() - lostAt > LOST_MS) throw thrown;
      }
      await clock.sleep(LOST_RETRY_MS, signal);
      client = this.#deps.client(executor) ?? client;
    }
  }

  async #begun(request: LogsRequest, signal: AbortSignal): Promise<{ readonly executor: string }> {
    let record = await this.#known(request.ExecutionId);
    while (request.Follow && NOT_BEGUN.includes(record.state)) {
      await this.#deps.clock.sleep(NOT_YET_MS, signal);
      record = await this.#known(request.ExecutionId);
    }
    return { executor: record.placement.task.Engine.Type };
  }

  /** The log of what has ended is complete, and what was refused has none: neither is followed. */
  async #order(
    request: LogsRequest,
    from: { readonly fromOffset: bigint; readonly tailLines: number },
  ): Promise<Parameters<ExecutorClient['logs']>[0]> {
    const { state } = await this.#known(request.ExecutionId);
    const follow = request.Follow && !isTerminal(state);
    return { executionId: request.ExecutionId, ...from, follow };
  }

  #client(executor: string): ExecutorClient {
    const client = this.#deps.client(executor);
    if (client !== undefined) return client;
    throw new LimpetError('unavailable', `executor ${executor} is not ready`);
  }

  async #known(text: string): Promise<ExecutionRecord> {
    const record = await this.#deps.record(parseExecutionId(text));
    if (record === undefined)
      throw new LimpetError('not-found', `this node has no execution ${text}`);
    return record;
  }
}

/** Older bytes than these are gone: a gap in the place of the last of them. */
function cutOf({ truncatedBefore, frames }: LogsResponse, now: number): LogItem | undefined {
  const before = Number(truncatedBefore);
  if (before === 0) return undefined;
  const text = `output before byte ${before} of the log is no longer kept`;
  return {
    stream: 'gap',
    timeMs: Number(frames[0]?.timeMs ?? now),
    offset: before - 1,
    data: Buffer.from(text).toString('base64'),
    truncatedBefore: before,
  };
}
