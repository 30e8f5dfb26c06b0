import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { silentService } from '../../adapters/systemd/silent.ts';
import { DISK_MS, STUCK_MS, Watchdog, type Heart } from '../../adapters/systemd/watchdog.ts';

const WATCHDOG_MS = 30_000;

interface Held {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function newHeld(): Held {
  const late: Pick<Held, 'resolve' | 'reject'> = {
    resolve: () => undefined,
    reject: () => undefined,
  };
  const promise = new Promise<void>((resolve, reject) => Object.assign(late, { resolve, reject }));
  return Object.assign(late, { promise });
}

/** A heart that can be stopped, and when it was heard to beat. */
function watched({ watchdogMs }: { watchdogMs?: number } = { watchdogMs: WATCHDOG_MS }) {
  const clock = new FakeClock();
  const start = clock.uptime();
  const beats: number[] = [];
  const errors: string[] = [];
  let held: Held | undefined;
  let disk = false;
  let passes = 0;
  const heart: Heart = {
    pass: () => {
      passes += 1;
      return held?.promise ?? Promise.resolve();
    },
    waitsForDisk: () => disk,
  };
  const watchdog = new Watchdog({
    service: { ...silentService, watchdogMs, beat: () => beats.push(clock.uptime() - start) },
    heart,
    clock,
    log: { ...silentLog, error: (event) => errors.push(event) },
  });
  watchdog.start();
  return {
    clock,
    beats,
    errors,
    watchdog,
    passes: () => passes,
    hold: (by: 'work' | 'disk') => {
      held = newHeld();
      disk = by === 'disk';
    },
    release: () => {
      held?.resolve();
      held = undefined;
    },
    fail: () => {
      held?.reject(new Error('refused'));
      held = undefined;
    },
  };
}

/** The longest time without a beat, from the first beat to `untilMs`. */
function longestGap(beats: readonly number[], untilMs: number): number {
  return Math.max(...beats.map((beat, at) => (beats[at + 1] ?? untilMs) - beat));
}

t.test('nobody watches: nothing is sent through, no timer runs', async (t) => {
  const { clock, passes } = watched({});
  await clock.advance(600_000);
  t.equal(passes(), 0);
  t.equal(clock.pending, 0);
});

t.test('three beats in the time of the watchdog, each after a pass', async (t) => {
  const { clock, beats, passes } = watched();
  await clock.advance(60_000);
  t.strictSame(beats, [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  t.equal(passes(), 7);
});

t.test('work that does not move starves the watchdog after two minutes', async (t) => {
  const { clock, beats, errors, hold, passes } = watched();
  await clock.advance(20_000);
  hold('work');
  await clock.advance(20 * 60_000);
  const last = beats.at(-1) ?? 0;
  t.ok(last >= STUCK_MS && last <= 30_000 + STUCK_MS, `last beat at ${last} ms`);
  t.equal(passes(), 4, 'the one that is stuck is not joined by more');
  t.strictSame(errors, ['watchdog.starves'], 'said once');
});

t.test('a plugin that takes its minute holds the watchdog up not once', async (t) => {
  const { clock, beats, errors, hold, release } = watched();
  await clock.advance(20_000);
  for (let round = 0; round < 5; round += 1) {
    hold('work');
    await clock.advance(75_000);
    release();
    await clock.advance(15_000);
  }
  t.ok(longestGap(beats, 470_000) < WATCHDOG_MS, `${longestGap(beats, 470_000)} ms`);
  t.strictSame(errors, []);
});

t.test('a slow disk does not have the program killed again and again', async (t) => {
  const { clock, beats, hold } = watched();
  await clock.advance(20_000);
  hold('disk');
  await clock.advance(DISK_MS - 20_000);
  t.ok(longestGap(beats, DISK_MS) < WATCHDOG_MS, 'fed while the disk is waited for');
  await clock.advance(60 * 60_000);
  const last = beats.at(-1) ?? 0;
  t.ok(last <= 30_000 + DISK_MS, `a disk that never answers: last beat at ${last} ms`);
});

t.test('what moves again feeds it again', async (t) => {
  const { clock, beats, hold, release } = watched();
  await clock.advance(0);
  hold('work');
  await clock.advance(10 * 60_000);
  const starved = beats.length;
  release();
  await clock.advance(60_000);
  t.equal(beats.length, starved + 7, 'the one that was held, and six more');
});

t.test('a pass that comes out with an error has come out', async (t) => {
  const { clock, beats, hold, fail } = watched();
  await clock.advance(0);
  hold('work');
  await clock.advance(15_000);
  t.strictSame(beats, [0]);
  fail();
  await clock.advance(0);
  t.strictSame(beats, [0, 15_000]);
});

t.test('closed, it feeds no more', async (t) => {
  const { clock, beats, watchdog } = watched();
  await clock.advance(10_000);
  watchdog.close();
  await clock.advance(600_000);
  t.strictSame(beats, [0, 10_000]);
  t.equal(clock.pending, 0);
});
