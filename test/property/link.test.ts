import fc from 'fast-check';
import t from 'tap';
import { Inbox } from '../../adapters/link/inbox.ts';
import { Outbox } from '../../adapters/link/outbox.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { needsSnapshot } from '../../wire/link.ts';
import { PROTOCOL_VERSION, type Push, type PushAnswer } from '../../wire/messages.ts';

/** What may happen on the way, in any order and number. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      rows: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('send' as const),
      lose: fc.constantFrom('no', 'push', 'answer'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('replay' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('sender-restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('receiver-restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('failed-write' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('flush' as const) }) },
);

const memory = (): Promise<Store> => openMemoryStore();

class Pair {
  readonly sent: number[] = [];
  readonly taken: number[] = [];
  readonly #senderStore: Store;
  readonly #receiverStore: Store;
  #outbox: Outbox;
  #inbox: Inbox;
  #last: Push | undefined;
  #next = 0;

  private constructor(senderStore: Store, receiverStore: Store, outbox: Outbox, inbox: Inbox) {
    this.#senderStore = senderStore;
    this.#receiverStore = receiverStore;
    this.#outbox = outbox;
    this.#inbox = inbox;
  }

  static async open(): Promise<Pair> {
    const [from, to] = [await memory(), await memory()];
    const pair = new Pair(
      from,
      to,
      await Outbox.load(from, 'out/', () => 'one'),
      await Inbox.load(to, 'in/'),
    );
    await pair.restartReceiver();
    return pair;
  }

  async restartSender(): Promise<void> {
    this.#outbox = await Outbox.load(this.#senderStore, 'out/', () => 'another');
  }

  async restartReceiver(): Promise<void> {
    this.#inbox = await Inbox.load(this.#receiverStore, 'in/');
    await this.#inbox.adopt(this.#outbox.incarnation);
  }

  async append(rows: number): Promise<void> {
    const bodies = Array.from({ length: rows }, () => this.#next++);
    await this.#senderStore.batch(this.#outbox.append(bodies));
    this.sent.push(...bodies);
  }

  flush(): Promise<void> {
    return this.#outbox.flush();
  }

  /** Numbers were given out, and the batch never became durable. */
  failedWrite(): void {
    this.#outbox.append(['never written']);
  }

  async send(lose: string): Promise<boolean> {
    const rows = await this.#outbox.head({ rows: 3, bytes: 1_000 });
    if (rows.length === 0) return false;
    const { incarnation, acked } = this.#outbox;
    this.#last = { v: PROTOCOL_VERSION, session: 's', incarnation, after: acked, rows: [...rows] };
    if (lose === 'push') return true;
    const answer = await this.#receive(this.#last);
    if (lose === 'answer') return true;
    if (answer.type === 'ack') this.#outbox.ack(answer.cursor, rows);
    return true;
  }

  async replay(): Promise<void> {
    if (this.#last !== undefined) await this.#receive(this.#last);
  }

  #receive(push: Push): Promise<PushAnswer> {
    return this.#inbox.receive(push, {
      apply: async (rows) => ({
        ops: () => [],
        committed: () => this.taken.push(...rows.map((row) => Number(row.body))),
      }),
    });
  }
}

t.test(
  'every durable row arrives once and in order, whatever is lost, repeated or restarted',
  async (t) => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const pair = await Pair.open();
      for (const s of steps) {
        if (s.type === 'append') await pair.append(s.rows);
        else if (s.type === 'send') await pair.send(s.lose);
        else if (s.type === 'replay') await pair.replay();
        else if (s.type === 'sender-restart') await pair.restartSender();
        else if (s.type === 'receiver-restart') await pair.restartReceiver();
        else if (s.type === 'flush') await pair.flush();
        else pair.failedWrite();
      }
      while (await pair.send('no'));
      return JSON.stringify(pair.taken) === JSON.stringify(pair.sent);
    });
    await t.resolves(fc.assert(property, { numRuns: 500 }));
  },
);

t.test(
  'a snapshot is asked for exactly when acknowledged rows are gone at the other end',
  async (t) => {
    const mine = { incarnation: 'a', acked: 5, offered: 10 };
    const peer = (peerIncarnation: string, peerCursor: number) => ({
      incarnation: 'x',
      lastSeq: 0,
      peerIncarnation,
      peerCursor,
    });
    t.equal(
      needsSnapshot(mine, peer('a', 7)),
      false,
      'it is ahead of what was acknowledged, as after a lost answer',
    );
    t.equal(needsSnapshot(mine, peer('a', 4)), true, 'it has lost rows that it acknowledged');
    t.equal(needsSnapshot(mine, peer('a', 11)), true, 'it has seen more than this end remembers');
    t.equal(
      needsSnapshot(mine, peer('b', 0)),
      true,
      'it knows another incarnation, and rows are gone here',
    );
    t.equal(
      needsSnapshot({ ...mine, acked: 0 }, peer('', 0)),
      false,
      'it is new, and nothing was ever deleted here',
    );
  },
);

t.test(
  'a row that a push causes is never overtaken by one that was committed meanwhile',
  async (t) => {
    const store = await memory();
    const outbox = await Outbox.load(store, 'out/', () => 'one');
    const inbox = await Inbox.load(store, 'in/');
    await inbox.adopt('peer');
    const push: Push = {
      v: PROTOCOL_VERSION,
      session: 's',
      incarnation: 'peer',
      after: 0,
      rows: [{ seq: 1, body: 'order' }],
    };
    await inbox.receive(push, {
      apply: async () => {
        // While the order is being looked at, another row is written, sent and acknowledged.
        await store.batch(outbox.append(['meanwhile']));
        const sent = await outbox.head({ rows: 10, bytes: 1_000 });
        outbox.ack(sent.at(-1)?.seq ?? 0, sent);
        return { ops: () => outbox.append(['answer']) };
      },
    });
    const left = await outbox.head({ rows: 10, bytes: 1_000 });
    t.same(
      left.map((row) => row.body),
      ['answer'],
    );
  },
);
