import t from 'tap';
import {
  formatHandshake,
  negotiateVersion,
  parseHandshake,
} from '../../plugins/proto/handshake.ts';
import { EventRing, type WakeEvent } from '../../plugins/sdk/event-ring.ts';
import { formatExit, parseClaim, parseExit } from '../../plugins/sdk/held-run.ts';
import { Mailboxes } from '../../plugins/sdk/mailbox.ts';
import { formatRecord } from '../../plugins/sdk/plugin-log.ts';

t.test('the handshake line is what go-plugin reads and writes', async (t) => {
  const handshake = { appVersion: 1, network: 'unix', address: '/run/p/s.sock' } as const;
  t.equal(formatHandshake(handshake, false), '1|1|unix|/run/p/s.sock|grpc|\n');
  t.equal(formatHandshake(handshake, true), '1|1|unix|/run/p/s.sock|grpc||false\n');
  t.same(parseHandshake('1|1|unix|/run/p/s.sock|grpc|\n'), handshake);
  t.same(parseHandshake('1|1|unix|/run/p/s.sock|grpc||true\n'), handshake);
});

t.test('a handshake that cannot be spoken to says why', async (t) => {
  for (const [line, why] of [
    ['Listening on 8080', /begins its stdout with it: is this one\?/],
    ['2|1|unix|/s|grpc|', /core version 2/],
    ['1|1|unix|/s', /netrpc/],
    ['1|7|unix|/s|grpc|', /protocol version 7/],
    ['1|1|pipe|/s|grpc|', /network 'pipe'/],
    [`1|1|unix|/s|grpc|${'A'.repeat(80)}`, /certificate/],
  ] as const)
    t.throws(() => parseHandshake(line), { code: 'plugin-failed', message: why });
});

t.test('the highest common version is chosen, without one the lowest of ours', async (t) => {
  t.equal(negotiateVersion('1,3,2', [1, 2]), 2);
  t.equal(negotiateVersion('x, 1', [1, 2]), 1);
  t.equal(negotiateVersion('7', [1, 2]), 1);
  t.equal(negotiateVersion(undefined, [1]), 1);
  t.equal(negotiateVersion('', [0, 1]), 0);
});

t.test('a log record is hclog: six digits, text in every @ field', async (t) => {
  const line = formatRecord({
    level: 'warn',
    module: 'wasm',
    message: 'slow',
    fields: { run: 'e-1/0', size: 5n, error: new Error('why'), '@level': 7 },
    at: new Date('2026-11-22T02:38:09.123Z'),
  });
  t.same(JSON.parse(line), {
    '@level': 'warn',
    '@message': 'slow',
    '@module': 'wasm',
    '@timestamp': '2026-11-22T02:38:09.123000Z',
    run: 'e-1/0',
    size: '5',
    error: 'why',
  });
});

t.test('claims and exit records are read, a torn claim has no holder', async (t) => {
  t.same(parseClaim('12 3456 b-1\n'), { pid: 12, startTime: '3456', bootId: 'b-1' });
  for (const torn of ['', '12 34', '12 3456 b-1', 'x y z\n']) t.equal(parseClaim(torn), undefined);
  const record = {
    outcome: { by: 'limit', code: 137, reason: 'deadline' },
    finishedAt: 5,
  } as const;
  t.equal(formatExit(record), 'limit 137 5 deadline\n');
  t.same(parseExit(formatExit(record), '/f'), record);
  t.same(parseExit('trap - 5 out of\n', '/f').outcome, { by: 'trap', reason: 'out of' });
  for (const bad of ['', 'exit 0', 'slept 0 5 x\n'])
    t.throws(() => parseExit(bad, '/f'), { code: 'store-corrupt' });
});

t.test('events are numbered, and a reader that missed some is told', async (t) => {
  const ring = new EventRing();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const key = (run: number) => ({ executionId: 'e-1', run });
  const take = async (since: number, count: number) => {
    const seen: WakeEvent[] = [];
    for await (const event of ring.follow(since, stop.signal))
      if (seen.push(event) === count) break;
    return seen.map(({ seq, gap }) => (gap ? `gap ${seq}` : seq));
  };
  const live = take(0, 2);
  ring.push(key(1));
  ring.push(key(2));
  t.same(await live, [1, 2]);
  t.same(await take(1, 1), [2]);
  t.same(await take(99, 1), ['gap 2'], 'numbers of another instance');
  for (let run = 3; run <= 2000; run++) ring.push(key(run));
  t.same(await take(1, 1), ['gap 2000'], 'older than what is kept');
  t.same(await take(1999, 1), [2000]);
});

t.test('work of one key runs in order, other keys do not wait', async (t) => {
  const mailboxes = new Mailboxes();
  const order: string[] = [];
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const first = mailboxes.run('a', async () => {
    await gate;
    order.push('a1');
    throw new Error('a1 failed');
  });
  const second = mailboxes.run('a', async () => order.push('a2'));
  await mailboxes.run('b', async () => order.push('b'));
  open();
  await t.rejects(first, { message: 'a1 failed' });
  await second;
  t.same(order, ['b', 'a1', 'a2']);
});
