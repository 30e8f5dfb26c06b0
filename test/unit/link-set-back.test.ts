import t from 'tap';
import { Inbox } from '../../adapters/link/inbox.ts';
import { Outbox } from '../../adapters/link/outbox.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Store } from '../../adapters/store/port.ts';
import { hasAllRows, isSetBack } from '../../wire/link.ts';
import { PROTOCOL_VERSION, type LinkPosition, type Push } from '../../wire/messages.ts';

/** One end of a link, over a store of its own. */
class End {
  readonly outbox: Outbox;
  readonly inbox: Inbox;

  readonly #store: Store;

  private constructor(store: Store, outbox: Outbox, inbox: Inbox) {
    this.#store = store;
    this.outbox = outbox;
    this.inbox = inbox;
  }

  write(rows: number): Promise<void> {
    return this.#store.batch(this.outbox.append(Array.from({ length: rows }, () => 'row')));
  }

  static async open(name: string): Promise<End> {
    const store = await openMemoryStore();
    return new End(
      store,
      await Outbox.load(store, 'out/', () => name),
      await Inbox.load(store, 'in/'),
    );
  }

  get position(): LinkPosition {
    return { ...this.outbox.position(), ...this.inbox.position() };
  }
}

/** Rows from one end to the other; `heard`: the answer came back. */
async function pass(
  from: End,
  to: End,
  { rows, heard }: { readonly rows: number; readonly heard: boolean },
): Promise<void> {
  await from.write(rows);
  await to.inbox.adopt(from.outbox.incarnation);
  const { incarnation, acked: after } = from.outbox;
  const sent = await from.outbox.head({ rows: 100, bytes: 10_000 });
  const push: Push = { v: PROTOCOL_VERSION, session: 's', incarnation, after, rows: [...sent] };
  const apply = () => Promise.resolve({ ops: () => [] });
  const answer = await to.inbox.receive(push, { apply });
  if (heard && answer.type === 'ack') from.outbox.ack(answer.cursor, sent);
}

async function linked(): Promise<{ readonly owner: End; readonly node: End }> {
  const [owner, node] = [await End.open('02-owner'), await End.open('01-node')];
  await pass(owner, node, { rows: 2, heard: true });
  await pass(node, owner, { rows: 3, heard: true });
  return { owner, node };
}

t.test(
  'a link in order, an answer that is lost, and a new node tell of no older copy',
  async (t) => {
    const { owner, node } = await linked();
    t.notOk(isSetBack(owner.position, node.position));
    await pass(node, owner, { rows: 1, heard: false });
    t.notOk(
      isSetBack(owner.position, node.position),
      'rows that it has, and the node does not know it',
    );
    await owner.write(1);
    t.notOk(isSetBack(owner.position, node.position), 'rows that are not sent yet');
    const lost = await End.open('00-node');
    await owner.inbox.adopt('00-node');
    t.notOk(isSetBack(owner.position, lost.position), 'a node that has lost its store');
  },
);

t.test(
  'a node that has taken, or given, what this end does not remember tells of one',
  async (t) => {
    const { owner, node } = await linked();
    const copy = owner.position;
    await pass(owner, node, { rows: 1, heard: true });
    t.ok(isSetBack(copy, node.position), 'a row that was sent since');
    const other = await linked();
    const before = other.owner.position;
    await pass(other.node, other.owner, { rows: 1, heard: true });
    t.ok(isSetBack(before, other.node.position), 'a row that was taken since');
    const younger = { ...node.position, peerIncarnation: '03-owner' };
    t.ok(isSetBack(copy, younger), 'a new beginning since');
  },
);

t.test('a row that an old copy has just written is not one that the other end has', async (t) => {
  const node = await End.open('node');
  const newer = await End.open('owner');
  await pass(newer, node, { rows: 1, heard: true });
  t.ok(hasAllRows(newer.position, node.position));
  await newer.write(1);
  t.notOk(hasAllRows(newer.position, node.position), 'it is on its way');
  const older = await End.open('owner');
  await older.write(1);
  t.notOk(hasAllRows(older.position, node.position), 'its number was used before');
});
