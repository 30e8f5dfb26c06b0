/** What each form of a log looks like: pulses in silence, gaps, notices, recorded output, characters in two pieces. */
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { logBytes } from '../../requester/api/log-download.ts';
import { logFrames } from '../../requester/api/log-frames-body.ts';
import { errorMessage, LogMessages } from '../../requester/api/log-messages.ts';
import { logEvents } from '../../requester/api/log-sse.ts';
import type { LogOutput } from '../../requester/logs/log-items.ts';
import { LogFrameDecoder, type LogFrameKind } from '../../wire/log-frames.ts';
import { parseLogPosition } from '../../wire/log-position.ts';
import { eventsOf } from './readers.ts';

type Batch = readonly LogOutput[];

const source = (index: number, recorded = false): LogOutput => {
  const whose = { executionId: `e-${index}`, nodeId: 'n-1', jobName: 'job', partition: index - 1 };
  return { type: 'source', index, source: recorded ? { ...whose, recorded } : whose };
};
const frame = (
  kind: LogFrameKind,
  offset: number,
  data: string | Buffer,
  index = 1,
): LogOutput => ({
  ...{ type: 'frame', index },
  frame: { kind, source: 0, timeMs: 5, offset, data: Buffer.from(data) },
});
const notice: LogOutput = { type: 'notice', index: 1, text: 'a word' };
const end: LogOutput = { type: 'end', data: { code: 'finished', message: '' } };

/** Batches that come when the test says. */
class Script {
  readonly #batches: Batch[] = [];
  #over = false;
  #wake = (): void => undefined;

  say(...batch: Batch): void {
    this.#batches.push(batch);
    this.#wake();
  }

  finish(): void {
    this.say(end);
    this.#over = true;
  }

  async *outputs(): AsyncGenerator<Batch> {
    while (!this.#over || this.#batches.length > 0) {
      const next = this.#batches.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function collect(chunks: AsyncGenerator<Uint8Array>): { readonly parts: Buffer[] } {
  const parts: Buffer[] = [];
  void (async () => {
    for await (const part of chunks) parts.push(Buffer.from(part));
  })();
  return { parts };
}

t.test('events: ids are positions, recorded output moves none, a comment each 15 s', async (t) => {
  const [clock, script] = [new FakeClock(), new Script()];
  const { parts } = collect(logEvents(script.outputs(), clock, new Map([['e-9', 70]])));
  script.say(source(1), frame('stdout', 0, 'one\n'), notice, frame('cut', 50, 'gone'));
  await clock.advance(14_999);
  const comments = (): number => parts.join('').match(/^: /gm)?.length ?? 0;
  t.equal(comments(), 0);
  await clock.advance(15_001);
  t.equal(comments(), 2);
  script.say(source(2, true), frame('stdout', 0, 'head', 2));
  script.finish();
  await clock.advance(0);
  const events = eventsOf(parts.join(''));
  t.strictSame(
    events.map(({ event, id }) => [event, id === '' ? [] : [...parseLogPosition(id)]]),
    [
      ['source', []],
      [
        'message',
        [
          ['e-9', 70],
          ['e-1', 4],
        ],
      ],
      ['notice', []],
      [
        'message',
        [
          ['e-9', 70],
          ['e-1', 50],
        ],
      ],
      ['source', []],
      [
        'message',
        [
          ['e-9', 70],
          ['e-1', 50],
        ],
      ],
      ['end', []],
    ],
  );
  t.strictSame(events[2]?.data, { text: 'a word', executionId: 'e-1' });
  t.strictSame(Object(events[3]?.data).truncatedBefore, 50);
  t.equal(clock.pending, 0);
});

t.test('frames: sources by number, a pulse at once and each 5 s', async (t) => {
  const [clock, script] = [new FakeClock(), new Script()];
  const { parts } = collect(logFrames(script.outputs(), clock));
  await clock.advance(5_000);
  script.say(source(1), frame('stderr', 3, 'x'), notice);
  await clock.advance(4_999);
  script.finish();
  await clock.advance(0);
  const frames = new LogFrameDecoder().take(Buffer.concat(parts));
  t.strictSame(
    frames.map(({ kind, source, offset }) => [kind, source, offset]),
    [
      ['pulse', 0, 0],
      ['pulse', 0, 0],
      ['source', 1, 0],
      ['stderr', 1, 3],
      ['notice', 1, 0],
      ['end', 0, 0],
    ],
  );
  t.equal(clock.pending, 0);
});

t.test('a download has what is missing in its place, and no other words', async (t) => {
  const bytesOf = async (...outputs: Batch): Promise<string> => {
    const script = new Script();
    let code = '';
    script.say(...outputs);
    script.finish();
    const parts: Uint8Array[] = [];
    for await (const part of logBytes(script.outputs(), (data) => (code = data.code)))
      parts.push(part);
    t.equal(code, 'finished');
    return Buffer.concat(parts).toString();
  };
  t.equal(
    await bytesOf(
      source(1),
      frame('stdout', 0, 'a'),
      notice,
      frame('gap', 1, 'b\n'),
      frame('stderr', 3, 'c'),
    ),
    'a\n[gap] b\nc',
  );
  t.equal(await bytesOf(source(1, true), notice, frame('stdout', 0, 'head')), '[gap] a word\nhead');
});

t.test(
  'messages: a character in two pieces is whole, an end that is none is an error',
  async (t) => {
    const two = Buffer.from('ä');
    const messages = new LogMessages();
    const line = (Type: number, Line: string): string => JSON.stringify({ value: { Type, Line } });
    t.strictSame(
      messages.of([
        ...[source(1), frame('stdout', 0, 'a'), frame('stdout', 1, two.subarray(0, 1))],
        ...[
          frame('stderr', 2, 'err\n'),
          frame('stdout', 6, two.subarray(1)),
          frame('gap', 7, 'hole'),
        ],
      ]),
      [line(1, 'a'), line(2, 'err\n'), line(1, 'ä'), line(2, '\n[limpet] hole\n')],
    );
    const broken: LogOutput = { type: 'end', data: { code: 'error', message: 'why' } };
    t.strictSame(messages.of([broken]), [errorMessage('the log ended early (error): why')]);
    t.strictSame(messages.of([end]), []);
  },
);
