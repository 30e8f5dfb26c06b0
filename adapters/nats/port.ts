/**
 * The transport port: core NATS request/reply and publish/subscribe, nothing that needs JetStream.
 * Four conditions are told apart: broker gone (`unavailable`, message names the broker), peer absent (`unavailable`, no
 * responder, known within ms), peer silent (`timeout`), not allowed (`permission-denied`).
 */
export interface Transport {
  /** Payloads are bytes; `maxPayload` is the broker's limit, known once connected. */
  readonly maxPayload: number;
  readonly connected: boolean;
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  publish(subject: string, payload: Uint8Array): void;
  /**
   * Calls `handler` for each message, several at a time; its answer, if any, is sent to the reply subject.
   * A thrown error is logged and answered by nothing.
   */
  subscribe(
    subject: string,
    handler: (message: IncomingMessage) => Promise<Uint8Array | undefined> | Uint8Array | undefined,
  ): Subscription;
  /** Calls back on every change; the first call tells the present state. Returns the way to stop. */
  onConnection(listener: (connected: boolean, detail: string) => void): () => void;
  /** Stops taking messages, waits for running handlers, flushes, closes. Twice is the same as once. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface IncomingMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface Subscription {
  unsubscribe(): void;
}

export interface TransportOptions {
  /** `nats://127.0.0.1:4222`; several are tried in turn. */
  readonly servers: readonly string[];
  /** Shown by the broker: `limpet-agent n-...`. */
  readonly name: string;
  /** `_INBOX.<nodeId>` for agents, so that permissions can pin it. */
  readonly inboxPrefix: string;
  readonly user?: string;
  readonly password?: string;
  readonly pingIntervalMs?: number;
}
