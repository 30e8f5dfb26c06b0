/** Reading a log from a requester that breaks off, falls silent or stays away. */
import t, { type Test } from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { ApiClient } from '../../cli/api/client.ts';
import type { LogRequest } from '../../cli/logs/log-request.ts';
import { Names } from '../../cli/logs/names.ts';
import { showLog } from '../../cli/logs/show-log.ts';
import { streamLogs } from '../../cli/logs/stream-logs.ts';
import { TextPrinter } from '../../cli/logs/text-printer.ts';
import { LimpetError } from '../../core/errors.ts';
import type { LogEnd } from '../../wire/http.ts';
import { formatLogPosition } from '../../wire/log-position.ts';
import {
  fakeRequester,
  FINISHED,
  frame,
  source,
  type Answer,
  type FakeRequester,
} from '../e2e/cli-fake-requester.ts';
import { EXECUTION, JOB } from '../e2e/cli-run.ts';
import { eventually } from '../kit/eventually.ts';
import { shown, type Shown } from './cli-log-kit.ts';

const AT = Date.parse('2026-04-18T10:31:00.250Z');
const PULSE = frame('pulse', '', { source: 0 });
const end = (code: string, message: string) => frame('end', { code, message }, { source: 0 });
const out = (offset: number, text: string) => frame('stdout', text, { offset, timeMs: AT });

interface Following {
  readonly requester: FakeRequester;
  readonly clock: FakeClock;
  readonly shown: Shown;
  readonly leave: AbortController;
  readonly ended: Promise<LogEnd | LimpetError>;
  hasEnded(): boolean;
  /** Lets the time pass until it has ended. */
  end(): Promise<LogEnd | LimpetError>;
  /** The queries that the requester has got. */
  queries(): readonly Readonly<Record<string, string>>[];
}

async function following(
  t: Test,
  answers: readonly Answer[],
  request: Partial<LogRequest> = {},
  room?: () => Promise<unknown>,
): Promise<Following> {
  const requester = await fakeRequester(t, { [`GET /limpet/jobs/${JOB}/logs`]: answers });
  const screen = shown(room === undefined ? {} : { room });
  const clock = new FakeClock();
  const leave = new AbortController();
  const names = new Names(1, false);
  const reading = streamLogs({
    api: new ApiClient({ url: requester.url }),
    request: { jobId: JOB, follow: true, ...request },
    printer: new TextPrinter({
      screens: screen.screens,
      names,
      clock,
      timestamps: false,
      follow: true,
    }),
    screens: screen.screens,
    clock,
    signal: leave.signal,
  });
  let result: LogEnd | LimpetError | undefined;
  const ended = reading.catch((thrown: unknown) => LimpetError.from(thrown));
  void ended.then((value) => (result = value));
  return {
    ...{ requester, clock, shown: screen, leave, ended },
    hasEnded: () => result !== undefined,
    end: () =>
      eventually('the reading to end', async () => {
        await clock.advance(500);
        return result;
      }),
    queries: () =>
      requester.seen.map(({ url }) => Object.fromEntries(new URL(url, requester.url).searchParams)),
  };
}

t.test(
  'a log that breaks goes on at its next byte, and one line tells of the outage',
  async (t) => {
    const log = await following(t, [
      { frames: [source(), out(0, 'one\n'), out(4, 'tw')], breakOff: true },
      { status: 503, json: { Message: 'not yet' } },
      { frames: [], breakOff: true },
      { frames: [source(), out(4, 'two\n'), out(8, 'three\n'), FINISHED] },
    ]);
    t.strictSame(await log.end(), { code: 'finished', message: '' });
    t.equal(log.shown.stdout(), 'one\ntwo\nthree\n');
    t.equal(
      log.shown.stderr(),
      '-- requester away (the connection broke); going on when it is back --\n',
    );
    const after = formatLogPosition(new Map([[EXECUTION, 6]]));
    t.strictSame(log.queries(), [
      { follow: 'true' },
      ...[1, 2, 3].map(() => ({ follow: 'true', after })),
    ]);
  },
);

t.test('each outage is told of once, and so is a gap', async (t) => {
  const gap = frame('gap', 'gone', { offset: 4 });
  const log = await following(t, [
    { frames: [source(), out(0, 'one\n'), gap] },
    { frames: [source(), gap, out(8, 'two\n'), end('requester-gone', 'it stops')] },
    { frames: [source(), out(12, 'three\n'), FINISHED] },
  ]);
  t.strictSame(await log.end(), { code: 'finished', message: '' });
  t.equal(log.shown.stdout(), 'one\ntwo\nthree\n');
  t.strictSame(log.shown.stderr().split('\n'), [
    '[gap] gone',
    '-- requester away (it closed the connection); going on when it is back --',
    '-- requester away (it stops); going on when it is back --',
    '',
  ]);
});

t.test('a reader that was too slow goes on without a word', async (t) => {
  const log = await following(t, [
    { frames: [source(), out(0, 'one\n'), end('reader-gone', 'nothing taken for 60 s')] },
    { frames: [source(), out(4, 'two\n'), FINISHED] },
  ]);
  await log.end();
  t.equal(log.shown.both(), 'one\ntwo\n');
});

t.test(
  'a requester that stays away is given up after a minute, with the way to go on',
  async (t) => {
    const log = await following(
      t,
      [
        { frames: [source(), out(0, 'one\n')], breakOff: true },
        { status: 503, json: { Message: 'not today' } },
      ],
      { stream: 'stdout', tail: 5 },
    );
    await eventually('the line of the outage', () => /away/.test(log.shown.stderr()));
    await log.clock.advance(59_000);
    t.notOk(log.hasEnded(), 'not before');
    const error = await log.end();
    t.match(error, {
      code: 'unavailable',
      message:
        'the requester did not come back within 60 s (not today); go on with: ' +
        'limpet job logs aabbccdd --follow --since 2026-04-18T10:31:00.250Z --stream stdout',
    });
    t.equal(log.shown.stderr().match(/away/g)?.length, 1);
  },
);

t.test('a requester without a sign of life for 20 s is away', async (t) => {
  const log = await following(t, [
    { frames: [source(), out(0, 'one\n')], stayOpen: true },
    { frames: [source(), FINISHED] },
  ]);
  await eventually('the line', () => log.shown.stdout() === 'one\n');
  await log.clock.advance(19_999);
  t.equal(log.requester.seen.length, 1);
  await log.end();
  t.match(log.shown.stderr(), /^-- requester away \(no sign of life for 20 s\); .*--\n$/);
});

t.test('a screen gets no more than it takes, and a pause of it is no outage', async (t) => {
  const piece = 'x'.repeat(65_536);
  const pieces = Array.from({ length: 64 }, (_, at) => out(at * 65_536, piece));
  const whole = { frames: [source(), ...pieces, FINISHED] };
  const cut = { frames: [source(), ...pieces], breakOff: true };
  for (const [pauseMs, answers] of [
    [25_000, [whole]],
    [70_000, [cut, whole]],
  ] as const) {
    let go: (value?: unknown) => void = () => undefined;
    const pause = new Promise((resolve) => (go = resolve));
    const log = await following(t, answers, {}, () => pause);
    await eventually('the first of it', () => log.shown.stdout().length);
    await log.clock.advance(pauseMs);
    t.equal(log.requester.seen.length, 1);
    go();
    await log.end();
    t.equal(log.requester.seen.length, answers.length);
    t.equal(log.shown.stdout().length, 64 * 65_536);
    t.equal(log.shown.stderr(), '');
  }
});

t.test('a tail is asked for once; what was empty then is wanted whole after a break', async (t) => {
  const log = await following(
    t,
    [
      { frames: [source(0), source(1), out(7, 'tail\n'), PULSE], breakOff: true },
      { frames: [source(0), source(1), FINISHED] },
    ],
    { tail: 1 },
  );
  await log.end();
  const second = EXECUTION.replace(/a$/, 'b');
  const after = formatLogPosition(
    new Map([
      [EXECUTION, 12],
      [second, 0],
    ]),
  );
  t.strictSame(log.queries().at(-1), { follow: 'true', tail: '1', after });
});

t.test('another end than that of the work is an error, and is not tried again', async (t) => {
  const log = await following(t, [
    { frames: [source(), out(0, 'head\n'), end('agent-gone', 'node n-1 is away')] },
  ]);
  t.match(await log.end(), {
    code: 'unavailable',
    message: 'the log is not whole: a node is away; read it again when `limpet node list` shows it',
  });
  t.equal(log.shown.stdout(), 'head\n');
  t.equal(log.requester.seen.length, 1);
});

t.test('who does not follow is told at once that no requester is there', async (t) => {
  const log = await following(t, [{ status: 503, json: { Message: 'not yet' } }], {
    follow: false,
  });
  t.match(await log.ended, { code: 'unavailable', message: 'not yet' });
  t.equal(log.shown.stderr(), '');
});

t.test('an answer in another form is told as such', async (t) => {
  const log = await following(t, [{ events: ['data: {}\n\n'] }]);
  t.match(await log.ended, { code: 'version-mismatch', message: /is it as new as this limpet\?$/ });
});

t.test('who leaves while the requester is away, leaves', async (t) => {
  const log = await following(t, [{ frames: [source(), out(0, 'half')], breakOff: true }]);
  await eventually('the outage', () => /away/.test(log.shown.stderr()));
  log.leave.abort();
  t.match(await log.ended, { code: 'cancelled' });
});

t.test('on a terminal it is told once that the work has not begun', async (t) => {
  const requester = await fakeRequester(t, {
    [`GET /limpet/jobs/${JOB}/logs`]: { frames: [PULSE], stayOpen: true },
  });
  const api = new ApiClient({ url: requester.url });
  const State = { StateType: 'Queued', Message: 'no node has room' };
  const show = async (isTTY: boolean, follow: boolean): Promise<string> => {
    const { context, stderr } = shown({ isTTY });
    const request = { jobId: JOB, follow };
    const job = { ID: JOB, Name: 'hello', Namespace: '', Type: 'batch', Tasks: [], State };
    const signal = AbortSignal.timeout(600);
    const reading = showLog(api, context, { job, request, signal, tellsOfWaiting: true });
    await t.rejects(reading, { code: 'cancelled' });
    return stderr();
  };
  const [line, piped, now] = await Promise.all([
    show(true, true),
    show(false, true),
    show(true, false),
  ]);
  t.equal(line.replaceAll('\x1b[0m', ''), '-- waiting for hello to start: no node has room --\n');
  t.equal(piped, '');
  t.equal(now.replaceAll('\x1b[0m', ''), '');
});
