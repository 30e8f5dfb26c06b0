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
  /**
   * Connects anew with what `credentials` says now, before it lets go of the old connection: nothing that is under way
   * fails, no message is missed, their order stays. What asks for no answer may be handled twice. Without a connection
   * the next attempt begins at once. Errors: `permission-denied`, `unavailable`; the old connection then stays.
   */
  renew(): Promise<void>;
  /** Calls back on every change; the first call tells the present state. Returns the way to stop. */
  onConnection(listener: (connected: boolean, detail: string) => void): () => void;
  /** Stops taking messages, waits for running handlers, flushes, closes. Twice is the same as once. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the connection to a broker adds. */
export interface BrokerTransport extends Transport {
  /** The broker is there, and does not take these credentials. */
  readonly refused: boolean;
  /** One sentence for each thing that the broker does not allow on the present connection. */
  problems(): readonly string[];
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
  /** Asked at each attempt to connect; undefined at a broker that asks for nothing. What it throws ends the attempt. */
  readonly credentials?: () => Credentials | undefined;
  /** Asked at each attempt, too. */
  readonly tls?: () => TransportTls | undefined;
  readonly pingIntervalMs?: number;
}

/** How a program shows the broker who it is. */
export type Credentials =
  | { readonly type: 'password'; readonly user: string; readonly password: string }
  /** A user JWT, and the seed (`SU...`) of the key that it is about. */
  | { readonly type: 'jwt'; readonly jwt: string; readonly seed: string };

/** Files in PEM form. Without `caFile` the authorities of Node count. */
export interface TransportTls {
  readonly caFile?: string;
  /** Of this program, where the broker asks for one (mTLS). */
  readonly certFile?: string;
  readonly keyFile?: string;
}
