/**
 * Sends an outbox to its peer: one push in flight, oldest rows first, again and again until acknowledged.
 *
 *   closed --open(session)--> sending <--wake--> idle
 *     ^                         | error: back-off 0.1 s doubling to 5 s, then again
 *     `---- handshake-required -'
 */
import { LimpetError } from '../../core/errors.ts';
import { PROTOCOL_VERSION, type Push, type PushAnswer } from '../../wire/messages.ts';
import type { Clock, Timer } from '../clock/port.ts';
import type { Logger } from '../log/port.ts';
import type { HeadLimit, Outbox } from './outbox.ts';

export interface SenderOptions {
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limit: HeadLimit;
  /** One attempt; rejects with LimpetError `unavailable`, `timeout` or `permission-denied`. */
  readonly send: (push: Push) => Promise<PushAnswer>;
  /** The peer does not know this session or incarnation; the sender stays closed until `open` is called. */
  readonly onHandshakeRequired: (reason: string) => void;
}

/** Acknowledged rows are deleted this long after the last push, many at a time. */
const FLUSH_MS = 250;
const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5_000;

export class LinkSender {
  readonly #options: SenderOptions;
  #session: string | undefined;
  #running = false;
  #again = false;
  #backoffMs = FIRST_BACKOFF_MS;
  #timer: Timer | undefined;
  #soon: Timer | undefined;
  #flush: Timer | undefined;
  #lastError = '';
  /** Nobody waits any longer for the answer to the push in flight. */
  #abandon: () => void = () => undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** After a handshake. A push under the session before is not waited for: whoever was to answer it may be dead. */
  open(session: string): void {
    this.#session = session;
    this.#abandon();
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.wake();
  }

  /** False until the first handshake, and again once the peer has asked for another. */
  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  close(): void {
    this.#session = undefined;
    for (const timer of [this.#timer, this.#soon]) timer?.cancel();
    this.#timer = undefined;
    this.#soon = undefined;
  }

  /** Rows were committed that may wait a little for others; `wake` in between takes them along. */
  wakeWithin(ms: number): void {
    if (this.#session === undefined || this.#soon !== undefined) return;
    this.#soon = this.#options.clock.after(ms, () => {
      this.#soon = undefined;
      this.wake();
    });
  }

  /** Rows were committed. Costs nothing when it is already sending. */
  wake(): void {
    if (this.#session === undefined) return;
    this.#soon?.cancel();
    this.#soon = undefined;
    this.#again = true;
    if (this.#running || this.#timer !== undefined) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && this.#session !== undefined) {
        this.#again = false;
        while (this.#session !== undefined && (await this.#sendHead(this.#session)));
      }
    } catch (thrown) {
      this.#retryLater(LimpetError.from(thrown));
    } finally {
      this.#running = false;
    }
    // A wake between the last look and `running = false` must not be lost.
    if (this.#again && this.#timer === undefined) this.wake();
  }

  /** Answers whether there may be more. */
  async #sendHead(session: string): Promise<boolean> {
    const { outbox, limit, send } = this.#options;
    // A look into the store costs as much as a push; after most pushes there is nothing left.
    if (outbox.idle) return false;
    const rows = await outbox.head(limit);
    if (rows.length === 0) return false;
    const abandoned = new Promise<undefined>((resolve) => {
      this.#abandon = () => resolve(undefined);
    });
    const push: Push = {
      v: PROTOCOL_VERSION,
      session,
      incarnation: outbox.incarnation,
      after: outbox.acked,
      rows: rows.map(({ seq, body }) => ({ seq, body })),
    };
    const answer = await Promise.race([send(push), abandoned]);
    if (answer === undefined) return true;
    this.#recovered();
    if (this.#session !== session) return true;
    if (answer.type === 'handshake-required') {
      this.close();
      this.#options.onHandshakeRequired(answer.reason);
      return false;
    }
    const astray = whyAstray(answer.cursor, outbox);
    if (astray !== undefined) {
      this.close();
      this.#options.onHandshakeRequired(astray);
      return false;
    }
    outbox.ack(answer.cursor, rows);
    this.#flushSoon();
    return true;
  }

  #flushSoon(delayMs = FLUSH_MS): void {
    const { clock, outbox, log } = this.#options;
    this.#flush ??= clock.after(delayMs, () => {
      this.#flush = undefined;
      outbox.flush().catch((thrown: unknown) => {
        log.warn('link.flush-failed', { reason: LimpetError.from(thrown).message });
        this.#flushSoon(LAST_BACKOFF_MS);
      });
    });
  }

  #recovered(): void {
    this.#backoffMs = FIRST_BACKOFF_MS;
    if (this.#lastError === '') return;
    this.#options.log.info('link.sending-again');
    this.#lastError = '';
  }

  #retryLater(error: LimpetError): void {
    if (error.message !== this.#lastError)
      this.#options.log.warn('link.send-failed', { code: error.code, reason: error.message });
    this.#lastError = error.message;
    if (this.#session === undefined) return;
    this.#again = true;
    this.#timer = this.#options.clock.after(this.#backoffMs, () => {
      this.#timer = undefined;
      this.wake();
    });
    this.#backoffMs = Math.min(LAST_BACKOFF_MS, this.#backoffMs * 2);
  }
}

/** Only a handshake can mend these. */
function whyAstray(cursor: number, { acked, memory }: Outbox): string | undefined {
  if (cursor < acked) return 'the peer has lost rows that it acknowledged';
  if (cursor > memory.offered) return 'the peer has taken rows that this end does not remember';
  return undefined;
}
