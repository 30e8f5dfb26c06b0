/** Opens streams on the node of an execution: its log, or the archive of its results. */
import type { IncomingStream } from '../../adapters/streams/port.ts';
import { StreamClient, type StreamClientOptions } from '../../adapters/streams/stream-client.ts';
import type { LogsRequest, ResultRequest } from '../../wire/messages.ts';
import type { ExecutionRecord } from '../state/records.ts';

export interface NodeStreamsOptions extends StreamClientOptions {
  readonly requestTimeoutMs: number;
}

export interface LogWish {
  readonly follow: boolean;
  readonly fromOffset: number;
  readonly streams: readonly ('stdout' | 'stderr')[];
  /** Only the last lines. */
  readonly tail?: number;
  /** Only what was written from then on, ms since the epoch. */
  readonly sinceMs?: number;
  /** When it fires the reader has left, before the stream is open or later. */
  readonly signal?: AbortSignal;
}

/** What the client of streams adds to a request. */
type Unnamed<T> = Omit<T, 'StreamId'>;

export class NodeStreams {
  readonly #options: NodeStreamsOptions;
  readonly #client: StreamClient;

  constructor(options: NodeStreamsOptions) {
    this.#options = options;
    this.#client = new StreamClient(options);
  }

  /** Streams that are read now. */
  get open(): number {
    return this.#client.open;
  }

  /** Errors: `unavailable`, `timeout`, `permission-denied`, `cancelled`, and what the node refuses with (`not-found`). */
  logs(
    { id, nodeId }: ExecutionRecord,
    { follow, fromOffset, streams, tail, sinceMs, signal }: LogWish,
  ): Promise<IncomingStream> {
    const { requesterId, requestTimeoutMs } = this.#options;
    const request: Unnamed<LogsRequest> = {
      SourcePeerId: requesterId,
      TargetPeerId: nodeId,
      ExecutionId: id,
      Follow: follow,
      FromOffset: fromOffset,
      Streams: [...streams],
      ...(tail === undefined ? {} : { Tail: tail }),
      ...(sinceMs === undefined ? {} : { SinceMs: sinceMs }),
    };
    return this.#client.request({
      ...{ node: nodeId, method: 'ExecutionLogs', request, signal },
      timeoutMs: requestTimeoutMs,
    });
  }

  /** Errors as of `logs`. */
  result({ id, nodeId }: ExecutionRecord, signal?: AbortSignal): Promise<IncomingStream> {
    const { requesterId, requestTimeoutMs } = this.#options;
    const request: Unnamed<ResultRequest> = {
      SourcePeerId: requesterId,
      TargetPeerId: nodeId,
      ExecutionId: id,
    };
    return this.#client.request({
      ...{ node: nodeId, method: 'ExecutionResult', request, signal },
      timeoutMs: requestTimeoutMs,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}
