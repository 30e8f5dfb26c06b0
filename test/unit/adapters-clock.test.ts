import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';

t.test('the fake clock runs timers in order of time, and those that they set', async (t) => {
  const clock = new FakeClock(1000, 5000);
  const seen: string[] = [];
  clock.after(30, () => seen.push('30'));
  clock.after(10, () => {
    seen.push(`10 at ${clock.now()}/${clock.uptime()}`);
    clock.after(10, () => seen.push('10+10'));
  });
  clock.after(10, () => seen.push('10 too'));
  clock.after(15, () => seen.push('never')).cancel();
  await clock.advance(25);
  t.same(seen, ['10 at 1010/5010', '10 too', '10+10']);
  t.equal(clock.now(), 1025);
  await clock.advance(5);
  t.equal(seen.at(-1), '30');
  t.equal(clock.pending, 0);
});

t.test('the fake clock lets sleepers go on between timers', async (t) => {
  const clock = new FakeClock();
  const seen: number[] = [];
  const begin = clock.uptime();
  const loop = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) {
      await clock.sleep(10);
      seen.push(clock.uptime() - begin);
    }
  };
  const done = loop();
  await clock.advance(100);
  await done;
  t.same(seen, [10, 20, 30]);
});

t.test('a jump of the wall clock fires nothing', async (t) => {
  const clock = new FakeClock(1000);
  clock.after(10, () => t.fail('fired'));
  clock.jump(60_000);
  await clock.advance(9);
  t.equal(clock.now(), 61_009);
});

for (const [name, clock] of [
  ['system', systemClock()],
  ['fake', new FakeClock()],
] as const)
  t.test(`a cancelled sleep of the ${name} clock rejects and leaves nothing behind`, async (t) => {
    const stop = new AbortController();
    const sleep = clock.sleep(60_000, stop.signal);
    stop.abort();
    await t.rejects(sleep, { code: 'cancelled' });
    await t.rejects(clock.sleep(1, stop.signal), { code: 'cancelled' });
    if (clock instanceof FakeClock) t.equal(clock.pending, 0);
  });

t.test('the system clock counts, and holds delays of more than 25 days', async (t) => {
  const clock = systemClock();
  const long = clock.after(2 ** 31 + 10, () => t.fail('fired at once'));
  const before = { uptime: clock.uptime(), now: clock.now() };
  const busy = setInterval(() => undefined, 1000);
  await clock.sleep(60);
  clearInterval(busy);
  t.ok(clock.uptime() - before.uptime >= 40, `uptime moved by ${clock.uptime() - before.uptime}`);
  t.ok(clock.now() - before.now >= 55);
  long.cancel();
});

t.test('random bytes differ', (t) => {
  t.equal(systemRandom.bytes(16).length, 16);
  t.notSame(systemRandom.bytes(16), systemRandom.bytes(16));
  t.end();
});
