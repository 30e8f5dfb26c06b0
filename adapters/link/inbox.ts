/**
 * The receiving half: under `<prefix>meta` the peer's incarnation and how far it was taken. One push at a time per peer;
 * `apply` answers the operations of the rows, which are committed together with the cursor; only then is it acknowledged.
 */
import { z } from 'zod';
import { messageOf } from '../../core/errors.ts';
import { takePush } from '../../wire/link.ts';
import type { LinkPosition, Push, PushAnswer } from '../../wire/messages.ts';
import type { Store, StoreOp } from '../store/port.ts';

const metaSchema = z.object({ incarnation: z.string(), cursor: z.number().int() });

export interface Applied {
  /** Called in the turn of the commit: rows that it adds to an outbox are numbered in the order of their commits. */
  ops(): readonly StoreOp[];
  /** These operations were not committed, and the cursor with them; they will be asked for again. */
  unwritten?(ops: readonly StoreOp[]): void;
  /** Runs after the commit, before the acknowledgement: wake mailboxes, start effects. */
  committed?(): void;
}

export interface InboxHooks {
  /** Turns rows into operations. It must not change anything that outlives a crash by itself. */
  apply(rows: Push['rows']): Promise<Applied>;
  beforeAck?(): void;
}

export class Inbox {
  readonly #store: Store;
  readonly #key: string;
  #incarnation: string;
  #cursor: number;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, key: string, meta: z.infer<typeof metaSchema>) {
    this.#store = store;
    this.#key = key;
    this.#incarnation = meta.incarnation;
    this.#cursor = meta.cursor;
  }

  static async load(store: Store, prefix: string): Promise<Inbox> {
    const key = `${prefix}meta`;
    const stored = await store.get(key);
    return new Inbox(
      store,
      key,
      stored === undefined ? { incarnation: '', cursor: 0 } : metaSchema.parse(stored),
    );
  }

  position(): Pick<LinkPosition, 'peerIncarnation' | 'peerCursor'> {
    return { peerIncarnation: this.#incarnation, peerCursor: this.#cursor };
  }

  /** Resolves when all pushes that have come are taken or refused. */
  settled(): Promise<void> {
    return this.#serial(() => Promise.resolve());
  }

  /** At a handshake: takes the peer's incarnation; a new one begins at 0. */
  adopt(incarnation: string): Promise<void> {
    return this.#serial(async () => {
      if (incarnation === this.#incarnation) return;
      await this.#store.batch([{ type: 'put', key: this.#key, value: { incarnation, cursor: 0 } }]);
      this.#incarnation = incarnation;
      this.#cursor = 0;
    });
  }

  /** Rejects when the rows could not be made durable; the peer then hears nothing and sends again. */
  receive(push: Push, hooks: InboxHooks): Promise<PushAnswer> {
    return this.#serial(async () => {
      const taken = takePush(push, this.#incarnation, this.#cursor);
      if (taken.type !== 'rows') return taken;
      if (taken.rows.length > 0) {
        const applied = await hooks.apply(taken.rows);
        const meta = { incarnation: this.#incarnation, cursor: taken.cursor };
        const ops: StoreOp[] = [...applied.ops(), { type: 'put', key: this.#key, value: meta }];
        await this.#store.batch(ops).catch((thrown: unknown) => {
          applied.unwritten?.(ops);
          throw thrown;
        });
        this.#cursor = taken.cursor;
        applied.committed?.();
        hooks.beforeAck?.();
      }
      return { type: 'ack', cursor: this.#cursor };
    });
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(messageOf);
    return result;
  }
}
