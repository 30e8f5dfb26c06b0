/**
 * Byte streams from an agent to a requester over core NATS, with a credit window. An open request (`ExecutionLogs`,
 * `ExecutionResult`) names the id of the stream and is answered once; the agent publishes numbered chunks on
 * `node.requester.<node>.Stream/v1.<id>` and the requester publishes credits on `node.compute.<node>.Stream/v1.<id>`.
 * Never more than the window (256 KiB) is on its way; a chunk is at most 64 KiB, or what the broker takes. The last message
 * is an end with a close code. Nothing is kept in memory past the window: a slow reader stops the source, and nobody else.
 *
 * Payload of a chunk: 1 byte kind (0 data, 1 end), 4 bytes sequence number big endian from 0, then the bytes (data) or
 * JSON `{code, message}` (end). Payload of a credit: JSON `{"bytes": <all bytes consumed so far>}` or `{"cancel": true}`.
 */
export type CloseCode =
  'finished' | 'reader-gone' | 'requester-gone' | 'agent-gone' | 'retention' | 'error';

/** Bytes that a source gives at once; a list is one after the other. */
export type Piece = Uint8Array | readonly Uint8Array[];

export interface StreamServer {
  /**
   * Begins to send what `open` answers as soon as it is called. The signal fires when the stream has ended, whatever has
   * ended it: a source that waits must wait no longer then. Errors: `conflict` (the id is in use), `exhausted`.
   */
  serve(streamId: string, open: (signal: AbortSignal) => AsyncIterable<Piece>): void;
  /** Streams that are open now; one whose source has not returned yet is. */
  readonly open: number;
  /** Ends every stream with `agent-gone`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StreamEnd {
  readonly code: CloseCode;
  readonly message: string;
}

/** Thrown by a source that ends its stream with a code of its own; all else that it throws is an `error`. */
export class StreamClosed extends Error {
  readonly end: StreamEnd;

  constructor(end: StreamEnd) {
    super(end.message);
    this.end = end;
  }
}

export interface IncomingStream {
  /** Yields the chunks in order, granting credit as they are consumed; returns when the stream has ended. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Known after `chunks()` has returned. */
  readonly end: StreamEnd | undefined;
  /** The reader left: tells the agent, frees everything. Idempotent. */
  cancel(): void;
}
