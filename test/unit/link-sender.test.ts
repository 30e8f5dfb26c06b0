import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { Outbox } from '../../adapters/link/outbox.ts';
import { LinkSender } from '../../adapters/link/sender.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import type { Push, PushAnswer } from '../../wire/messages.ts';
import { eventually } from '../kit/eventually.ts';

t.test('after a handshake nobody waits for whoever died with a push in hand', async (t) => {
  const store = await openMemoryStore();
  const outbox = await Outbox.load(store, 'out/', () => 'one');
  await store.batch(outbox.append(['first', 'second']));
  const pushes: Push[] = [];
  const late: ((answer: PushAnswer) => void)[] = [];
  const sender = new LinkSender({
    outbox,
    clock: new FakeClock(),
    log: silentLog,
    limit: { rows: 10, bytes: 1000 },
    send: (push) => {
      pushes.push(push);
      return push.session === 'dead'
        ? new Promise((resolve) => late.push(resolve))
        : Promise.resolve({ type: 'ack', cursor: push.rows.at(-1)?.seq ?? 0 });
    },
    onHandshakeRequired: (reason) => t.fail(reason),
  });
  t.teardown(() => sender.close());
  sender.open('dead');
  await eventually('the push that nobody answers', () => pushes.length === 1);
  sender.open('alive');
  await eventually('the rows to be acknowledged', () => outbox.acked === 2);
  t.same(
    pushes.map(({ session, rows }) => [session, rows.map(({ seq }) => seq)]),
    [
      ['dead', [1, 2]],
      ['alive', [1, 2]],
    ],
  );
  for (const answer of late) answer({ type: 'handshake-required', reason: 'too late' });
  await store.batch(outbox.append(['third']));
  sender.wake();
  await eventually('the next row to be sent', () => pushes.length === 3);
  t.match(pushes[2], { session: 'alive', rows: [{ seq: 3 }] }, 'a late answer changes nothing');
});
