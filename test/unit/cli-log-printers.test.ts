/** What `limpet job logs` makes of the output of one execution and of several. */
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { JsonPrinter } from '../../cli/logs/json-printer.ts';
import { Names } from '../../cli/logs/names.ts';
import { TextPrinter } from '../../cli/logs/text-printer.ts';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import { shown, type Shown } from './cli-log-kit.ts';

const AT = Date.parse('2026-04-18T10:31:00.250Z');
const RESET = '\x1b[0m';

function execution(partition: number | undefined, letter = 'a'): LogSource {
  const id = `e-0193d5a0-1111-7000-8000-0000000000${partition ?? 0}${letter}`;
  return {
    executionId: id,
    nodeId: 'n-1',
    jobName: 'web',
    ...(partition === undefined ? {} : { partition }),
  };
}

const first = execution(0);
const second = execution(1);

function frame(kind: LogFrame['kind'], data: string | Buffer, timeMs = AT): LogFrame {
  return { kind, source: 1, offset: 0, timeMs, data: Buffer.from(data) };
}

const out = (text: string, timeMs = AT): LogFrame => frame('stdout', text, timeMs);
const err = (text: string): LogFrame => frame('stderr', text);

interface Options {
  readonly tty?: boolean;
  readonly timestamps?: boolean;
  readonly count?: number;
  readonly follow?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

function printing(options: Options): { shown: Shown; printer: TextPrinter; clock: FakeClock } {
  const { tty = false, timestamps = false, count = 1, follow = true, env } = options;
  const screen = shown({ isTTY: tty, ...(env === undefined ? {} : { env }) });
  const clock = new FakeClock(AT);
  const names = new Names(count, count > 1);
  const printer = new TextPrinter({ screens: screen.screens, names, clock, timestamps, follow });
  for (let partition = 0; partition < count; partition++) printer.begin(execution(partition));
  return { shown: screen, printer, clock };
}

t.test('one execution: every byte as it is, each stream on its own', async (t) => {
  const { shown, printer } = printing({});
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  printer.take(first, frame('stdout', all));
  printer.take(first, err('\x1b[2Joh'));
  printer.take(first, out('no end'));
  printer.end();
  t.equal(shown.stdout(), `${all.toString('latin1')}no end`);
  t.equal(shown.stderr(), '\x1b[2Joh');
});

t.test('on a terminal colours pass, orders to the terminal do not', async (t) => {
  const { shown, printer } = printing({ tty: true });
  printer.take(first, out('\x1b[31mred\x1b['));
  printer.take(first, out('2J\n'));
  printer.end();
  t.equal(shown.stdout(), `\x1b[31mred\\x1b[2J\n${RESET}`);
});

t.test('a gap is told of on stderr, on a line of its own', async (t) => {
  const { shown, printer } = printing({ tty: true });
  printer.take(first, out('half'));
  printer.take(first, frame('gap', 'lines may be \x1b[2J missing'));
  printer.take(first, frame('cut', 'output before byte 7'));
  printer.take(first, out('more\n'));
  printer.end();
  const gaps = `${RESET}[gap] lines may be \\x1b[2J missing\n${RESET}[gap] output before byte 7\n`;
  t.equal(shown.both(), `half\n${gaps}more\n${RESET}${RESET}`);
});

t.test('several: whole lines behind names of one width', async (t) => {
  const { shown, printer, clock } = printing({ count: 11 });
  printer.take(first, out('one\ntw'));
  printer.take(second, out('eins\nzwei\n'));
  printer.take(execution(10), out('ten\n'));
  printer.take(second, err('oh\n'));
  printer.take(first, out('o\n'));
  await clock.advance(1_000);
  printer.end();
  t.equal(
    shown.stdout(),
    'web/0  | one\nweb/1  | eins\nweb/1  | zwei\nweb/10 | ten\nweb/0  | two\n',
    'a line that is finished within 100 ms is not cut',
  );
  t.equal(shown.stderr(), 'web/1  | oh\n');
});

t.test('a prompt is shown after 100 ms, and the answer stands behind it', async (t) => {
  const { shown, printer, clock } = printing({ count: 2, tty: true });
  printer.take(first, out('name? '));
  await clock.advance(99);
  t.equal(shown.both(), '');
  await clock.advance(1);
  t.equal(shown.both(), 'web/0 | name? ');
  printer.take(first, out('Ada\n'));
  t.equal(shown.both(), 'web/0 | name? Ada\n');
});

t.test(
  'others end an unfinished line that is shown; its rest gets a line of its own',
  async (t) => {
    const { shown, printer, clock } = printing({ count: 2, tty: true });
    printer.take(first, out('loading'));
    await clock.advance(100);
    printer.take(second, err('ready\n'));
    printer.take(first, out('...\n'));
    printer.end();
    t.equal(shown.both(), `web/0 | loading\nweb/1 | ready\nweb/0 | ...\n${RESET}${RESET}`);
  },
);

t.test('an unfinished last line is shown, and ended', async (t) => {
  const { shown, printer } = printing({ count: 2 });
  printer.take(first, out('no end'));
  printer.take(second, out('nor here'));
  printer.end();
  t.equal(shown.stdout(), 'web/0 | no end\nweb/1 | nor here\n');
});

t.test('a line without end does not stay in memory', async (t) => {
  const { shown, printer } = printing({ count: 2 });
  const mebibyte = 'x'.repeat(1024 * 1024);
  for (let at = 0; at < mebibyte.length; at += 65_536)
    printer.take(first, out(mebibyte.slice(at, at + 65_536)));
  t.equal(shown.stdout(), `web/0 | ${mebibyte}`);
});

t.test('the beginning of a line that is there already waits for its end', async (t) => {
  const { shown, printer, clock } = printing({ count: 2, follow: false });
  printer.take(first, out('begun, '));
  await clock.advance(60_000);
  printer.take(second, out('whole\n'));
  printer.take(first, out('and ended\nno end'));
  t.equal(shown.stdout(), 'web/1 | whole\nweb/0 | begun, and ended\n');
  printer.end();
  t.match(shown.stdout(), /\nweb\/0 \| no end\n$/);
});

t.test(
  'each execution has its colour on a terminal, and keeps its own colours to itself',
  async (t) => {
    const { shown, printer } = printing({ count: 2, tty: true, env: {} });
    printer.take(first, out('\x1b[31mred\n'));
    printer.take(second, out('plain\n'));
    t.equal(
      shown.stdout(),
      `\x1b[36mweb/0 |${RESET} \x1b[31mred\n${RESET}\x1b[33mweb/1 |${RESET} plain\n`,
    );
  },
);

t.test('a progress bar goes back to its name, not over it', async (t) => {
  const { shown, printer } = printing({ count: 2, tty: true });
  printer.take(first, out('10 %\r20 %\r\n'));
  t.equal(shown.stdout(), 'web/0 | 10 %\rweb/0 | 20 %\r\n');
  const piped = printing({ count: 2 });
  piped.printer.take(first, out('10 %\r20 %\r\n'));
  t.equal(piped.shown.stdout(), 'web/0 | 10 %\r20 %\r\n', 'no byte is added elsewhere');
});

t.test('times are those of the first byte of a line', async (t) => {
  const { shown, printer } = printing({ timestamps: true });
  printer.take(first, out('one\ntw'));
  printer.take(first, out('o', AT + 500));
  printer.take(first, out('\nthree\n', AT + 1_000));
  printer.take(first, frame('gap', 'missing', AT + 2_000));
  printer.end();
  t.equal(
    shown.stdout(),
    '2026-04-18T10:31:00.250Z one\n2026-04-18T10:31:00.250Z two\n2026-04-18T10:31:01.250Z three\n',
  );
  t.equal(shown.stderr(), '2026-04-18T10:31:02.250Z [gap] missing\n');
});

t.test('names begin when a second partition does', async (t) => {
  const { shown, printer } = printing({ tty: true });
  printer.take(first, out('alone'));
  printer.begin(second);
  printer.take(second, out('two\n'));
  printer.take(first, out('again\n'));
  t.equal(shown.both(), `alone${RESET}${RESET}\nweb/1 | two\nweb/0 | again\n`);
});

t.test('who takes the place of an execution is told, and has its name', async (t) => {
  const { shown, printer } = printing({});
  printer.take(first, out('begun\n'));
  printer.begin(execution(0));
  printer.begin(execution(0, 'b'));
  printer.take(execution(0, 'b'), out('begun\n'));
  t.equal(shown.stdout(), 'begun\nbegun\n');
  t.equal(shown.stderr(), '-- execution 0000000b has taken the place of 0000000a --\n', 'once');
});

t.test('notices name their execution where there are several', async (t) => {
  const one = printing({ tty: true, env: {} });
  one.printer.notice(first, 'node n-1 is\nsilent\x1b[2J');
  t.equal(one.shown.stderr(), `${RESET}\x1b[2m-- node n-1 is silent\xc2\xb7[2J --${RESET}\n`);
  const two = printing({ count: 2 });
  two.printer.notice(second, 'node n-1 is silent');
  two.printer.notice(undefined, 'to all');
  t.equal(two.shown.stderr(), '-- web/1: node n-1 is silent --\n-- to all --\n');
});

t.test('executions without partitions have their ids as names', async (t) => {
  const { shown, printer } = printing({});
  for (const letter of ['a', 'b']) printer.begin(execution(undefined, letter));
  printer.take(execution(undefined, 'b'), out('x\n'));
  t.equal(shown.stdout(), '0000000b | x\n');
});

t.test('JSON: an object for each piece, text where it is text', async (t) => {
  const { screens, stdout } = shown({ isTTY: true });
  const printer = new JsonPrinter(screens);
  const snow = Buffer.from('snow ☃\n\x9b');
  printer.take(first, frame('stdout', snow.subarray(0, 6)));
  printer.take(first, { ...frame('stdout', snow.subarray(6)), offset: 6 });
  printer.take(first, { ...frame('stderr', Buffer.from([0xff, 0])), offset: 11 });
  printer.take(first, frame('stdout', Buffer.from([0xe2])));
  printer.take(first, { ...frame('cut', 'gone'), offset: 40 });
  printer.end();
  const lines = stdout().split('\n').slice(0, -1);
  const same = { time: '2026-04-18T10:31:00.250Z', execution: first.executionId, node: 'n-1' };
  t.strictSame(
    lines.map((line): unknown => JSON.parse(Buffer.from(line, 'latin1').toString())),
    [
      { ...same, stream: 'stdout', offset: 0, text: 'snow ' },
      { ...same, stream: 'stdout', offset: 5, text: '☃\n\x9b' },
      { ...same, stream: 'stderr', offset: 11, data: '/wA=' },
      { ...same, stream: 'stdout', offset: 0, data: '4g==' },
      { ...same, stream: 'gap', offset: 40, text: 'gone' },
    ],
  );
  t.notMatch(stdout(), /\x9b/, 'no order to the terminal');
});
