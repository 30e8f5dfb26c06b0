/** Opens streams on the node of an execution: its log, or the archive of its results. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { IncomingStream } from '../../adapters/streams/port.ts';
import { StreamClient } from '../../adapters/streams/stream-client.ts';
import type { LogsRequest, ResultRequest } from '../../wire/messages.ts';
import type { ExecutionRecord } from '../state/records.ts';

export interface NodeStreamsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly requesterId: string;
  readonly requestTimeoutMs: number;
}

export interface LogWish {
  readonly follow: boolean;
  readonly fromOffset: number;
  readonly streams: readonly ('stdout' | 'stderr')[];
  /** Only the last lines. */
  readonly tail?: number;
}

export class NodeStreams {
  readonly #options: NodeStreamsOptions;
  readonly #client: StreamClient;

  constructor(options: NodeStreamsOptions) {
    this.#options = options;
    this.#client = new StreamClient(options.transport, options.clock);
  }

  /** Errors: `unavailable`, `timeout`, `permission-denied`, and what the node refuses with (`not-found`). */
  logs(
    { id, nodeId }: ExecutionRecord,
    { follow, fromOffset, streams, tail }: LogWish,
  ): Promise<IncomingStream> {
    const request: LogsRequest = {
      SourcePeerId: this.#options.requesterId,
      TargetPeerId: nodeId,
      ExecutionId: id,
      Follow: follow,
      FromOffset: fromOffset,
      Streams: [...streams],
      ...(tail === undefined ? {} : { Tail: tail }),
    };
    return this.#client.request(nodeId, 'ExecutionLogs', request, this.#options.requestTimeoutMs);
  }

  /** Errors as of `logs`. */
  result({ id, nodeId }: ExecutionRecord): Promise<IncomingStream> {
    const { requesterId, requestTimeoutMs } = this.#options;
    const request: ResultRequest = {
      SourcePeerId: requesterId,
      TargetPeerId: nodeId,
      ExecutionId: id,
    };
    return this.#client.request(nodeId, 'ExecutionResult', request, requestTimeoutMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}
