/** What an agent sends of a log, whatever becomes of the plugin and of the run meanwhile. */
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { StreamClosed } from '../../adapters/streams/port.ts';
import { LogSource } from '../../agent/link/log-source.ts';
import type { ExecutorClient } from '../../agent/plugins/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import {
  LogsResponseSchema,
  LogsResponse_Stream as Stream,
  type LogsResponse,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { LogFrameDecoder, type LogFrame } from '../../wire/log-frames.ts';
import type { LogsRequest } from '../../wire/messages.ts';
import { EXECUTION, record } from '../kit/records.ts';

type Order = Parameters<ExecutorClient['logs']>[0];
type Answer = (order: Order, signal: AbortSignal) => AsyncIterable<LogsResponse>;

const REQUEST: LogsRequest = {
  ...{ SourcePeerId: 'r', TargetPeerId: 'n-test', StreamId: 's', ExecutionId: EXECUTION },
  ...{ Follow: true, FromOffset: 0, Streams: [] },
};

/** An agent whose plugin gives these answers, one for each time that the log is asked for. */
function world(answers: readonly Answer[]) {
  const clock = new FakeClock();
  const orders: Order[] = [];
  const now: { record: ExecutionRecord } = { record: record({ state: 'running' }) };
  const logs: Answer = (order, signal) => {
    orders.push(order);
    const answer = answers[orders.length - 1];
    if (answer === undefined) throw new Error(`asked ${orders.length} times`);
    return answer(order, signal);
  };
  const deps = { clock, record: async () => now.record, client: () => ({ logs }) };
  const leaving = new AbortController();
  const read = async (request: Partial<LogsRequest> = {}): Promise<readonly LogFrame[]> => {
    const decoder = new LogFrameDecoder();
    const frames: LogFrame[] = [];
    const source = new LogSource(deps, { ...REQUEST, ...request }, leaving.signal);
    for await (const piece of source.pieces())
      for (const part of [piece].flat()) frames.push(...decoder.take(Buffer.from(part)));
    return frames;
  };
  /** Until it is done, with as much time as it needs. */
  const inTime = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const done = (): void => void (over = true);
    work.then(done, done);
    for (let step = 0; step < 2_000 && !over; step += 1) await clock.advance(50);
    return work;
  };
  return { clock, orders, now, leaving, read, inTime };
}

t.test('a plugin that is lost, in whatever way, is followed by the next one', async (t) => {
  const { read, inTime, orders, now } = world([
    async function* () {
      yield message(0, 'one\n');
      throw new LimpetError('plugin-failed', 'it was killed');
    },
    async function* () {
      // In order: its streams end as if all was said.
      yield message(4, 'two\n');
    },
    async function* () {
      throw new LimpetError('unavailable', 'it is starting');
    },
    async function* () {
      now.record = { ...now.record, state: 'completed' };
      yield message(8, 'three\n');
      yield message(14, '', true);
    },
    async function* () {
      yield message(14, '', true);
    },
  ]);
  t.equal(textOf(await inTime(read({ Tail: 3 }))), 'one\ntwo\nthree\n');
  t.strictSame(
    orders.map(({ fromOffset, tailLines, follow }) => [fromOffset, tailLines, follow]),
    [
      [0n, 3, true],
      [4n, 0, true],
      [8n, 0, true],
      [8n, 0, true],
      [14n, 0, false],
    ],
  );
});

t.test('a plugin that does not come back is given up after half a minute', async (t) => {
  const gone: Answer = async function* () {
    throw new LimpetError('unavailable', 'executor wasm is restarting');
  };
  const { read, inTime, clock } = world(Array.from({ length: 200 }, () => gone));
  const from = clock.uptime();
  await t.rejects(inTime(read()), { message: 'executor wasm is restarting' });
  const waited = clock.uptime() - from;
  t.ok(waited > 30_000 && waited < 31_000, `${waited} ms`);
});

t.test('the log of an execution goes on with its next run', async (t) => {
  const { read, inTime, now, orders, clock } = world([
    async function* () {
      yield message(0, 'run 0\n', true);
      now.record = { ...now.record, state: 'restarting' };
      void clock.sleep(10_000).then(() => {
        now.record = { ...now.record, state: 'running', run: 1 };
      });
    },
    async function* () {
      yield message(6, 'run 1\n', true);
      now.record = { ...now.record, state: 'completed' };
    },
    async function* () {
      yield message(12, '', true);
    },
  ]);
  t.equal(textOf(await inTime(read())), 'run 0\nrun 1\n');
  t.equal(orders.length, 3);
});

t.test('what was written before a time is left out, and the plugin need not send it', async (t) => {
  const { read, inTime, orders } = world([
    async function* () {
      yield message(0, 'old\n', false, 999);
      yield message(4, 'new\n', true, 1_000);
    },
  ]);
  t.equal(textOf(await inTime(read({ Follow: false, SinceMs: 1_000 }))), 'new\n');
  t.equal(orders[0]?.sinceMs, 1_000n);
});

t.test('a log that is deleted while it is read ends with that', async (t) => {
  const text = 'the log is no longer kept';
  const { read, inTime } = world([
    async function* () {
      yield message(0, 'one\n');
      throw new LimpetError('not-found', text);
    },
  ]);
  const end = await inTime(read()).catch((thrown: unknown) => thrown);
  t.ok(end instanceof StreamClosed);
  t.has(end, { end: { code: 'retention', message: text } });
});

t.test('a reader that leaves before the run has begun is not waited for', async (t) => {
  const { read, now, leaving, orders, clock } = world([]);
  now.record = record({ state: 'preparing' });
  const reading = read();
  await clock.advance(1_000);
  leaving.abort();
  await t.rejects(reading, { code: 'cancelled' });
  t.equal(orders.length, 0);
  t.equal(clock.pending, 0);
});

function message(offset: number, text: string, end = false, timeMs = 5_000): LogsResponse {
  const data = Buffer.from(text);
  const frame = { stream: Stream.STDOUT, timeMs: BigInt(timeMs), data, offset: BigInt(offset) };
  return create(LogsResponseSchema, {
    frames: data.length === 0 ? [] : [frame],
    nextOffset: BigInt(offset + data.length),
    end,
  });
}

function textOf(frames: readonly LogFrame[]): string {
  return frames.map(({ data }) => Buffer.from(data).toString()).join('');
}
