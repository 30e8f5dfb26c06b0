/** One connection to the broker with what is under way on it. It does not come back by itself. */
import { setTimeout as delay } from 'node:timers/promises';
import { Events, type NatsConnection, type Status } from 'nats';
import { LimpetError } from '../../core/errors.ts';
import { requestError, sendError } from './nats-errors.ts';

/** Of the NATS default; the true limit is read from the broker. */
const ASSUMED_MAX_PAYLOAD = 1_048_576;
const FLUSH_DEADLINE_MS = 2_000;

export class BrokerConnection {
  readonly nats: NatsConnection;
  /** Resolves with what the broker, or Node, said last; never rejects. */
  readonly gone: Promise<unknown>;
  readonly #broker: string;
  readonly #underWay = new Set<Promise<unknown>>();
  #last: unknown;

  /** `told` hears of what the broker objects to. */
  constructor(nats: NatsConnection, broker: string, told: (event: Status) => void) {
    this.nats = nats;
    this.#broker = broker;
    const status = nats.status();
    void (async () => {
      for await (const event of status) {
        if (event.type === Events.Error && event.permissionContext === undefined)
          this.#last = event.data;
        told(event);
      }
    })();
    this.gone = nats.closed().then((why) => this.#last ?? why ?? undefined);
  }

  get maxPayload(): number {
    return this.nats.info?.max_payload ?? ASSUMED_MAX_PAYLOAD;
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      const answer = this.nats.request(subject, payload, { timeout: timeoutMs });
      return (await this.during(answer)).data;
    } catch (thrown) {
      if (!this.nats.isClosed()) throw requestError(thrown, subject, timeoutMs);
      throw new LimpetError(
        'unavailable',
        `the broker ${this.#broker} is gone; the answer on ${subject} is lost`,
        { cause: thrown },
      );
    }
  }

  publish(subject: string, payload: Uint8Array): void {
    try {
      this.nats.publish(subject, payload);
    } catch (thrown) {
      throw sendError(thrown, subject);
    }
  }

  /** What needs this connection and no other: `retire` waits for it. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** The broker has done what was asked of it before. False when it does not say so in time. */
  async flush(): Promise<boolean> {
    return within(FLUSH_DEADLINE_MS, this.nats.flush());
  }

  /** Nothing new begins here; what has begun may end. */
  async retire(deadlineMs: number): Promise<void> {
    await within(deadlineMs, Promise.race([Promise.allSettled(this.#underWay), this.gone]));
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.nats.isClosed()) await this.flush();
    await this.nats.close();
  }
}

/** True when it was done in time, well or not. */
export async function within(deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  const late = delay(deadlineMs, 'late', { signal: done.signal }).catch(() => undefined);
  const result = await Promise.race([work.catch(() => undefined), late]);
  done.abort();
  return result !== 'late';
}
