/**
 * The rules of messages and streams.
 *
 *   rule                    done                                          expected
 *   streams/large-request   Start with 900 kB of variables                an answer (yes or no), other streams live on
 *   streams/large-refusal   Start with an unknown param of 900 kB         a short error; other streams live on
 *   streams/cancelled       hundreds of streams that are broken off       descriptors and memory as before
 *   streams/events          two runs that end                             an event for each, numbered upwards
 *   streams/events-since    Events from the number of the first           the second again, or a gap
 *   streams/events-gap      Events from a number that is not known        a gap, at once
 *   streams/slow-reader     a reader of `huge` stops reading               others are served, the run ends; it misses nothing
 *   streams/stats           Stats of a live run every 200 ms, where claimed   values as they can be, no more often than asked
 *   streams/stats-unknown   Stats of a run that never was, where claimed      NOT_FOUND
 *   streams/exec-exit       Exec of a shell, where claimed                Started first, the output, Exit with its code last
 */
import { demand, demandEqual, statusOf } from './expect.ts';
import { cancelled } from './rule-cancelled.ts';
import { execExit } from './rule-exec.ts';
import { stats, statsUnknown } from './rules-stats.ts';
import { background } from './background.ts';
import { demandBytes } from './log-bytes.ts';
import { ended, launch, prepare, readLog, remove, start, status } from './steps.ts';
import { Violation, type Bench, type Plugin, type Rule, type Spec } from './types.ts';
import { until, within } from './wait.ts';
import { lines, withRun } from './work.ts';

/** An error for people is a line or two. */
const MOST_ERROR_BYTES = 8 * 1024;
const NEWS_MS = 15_000;
/** 12 MB: more than lies in any buffer between the two. */
const READ_MS = 30_000;

/** Starts what may well be refused; everything else on the connection has to live on. */
async function demandAnswered(
  { plugin }: Bench,
  wanted: Spec,
  refusal: (thrown: unknown) => void,
): Promise<void> {
  const other = background((signal) => plugin.calls.events({}, { signal }));
  await plugin.calls.info({});
  try {
    const digest = await prepare(plugin, wanted);
    await start(plugin, { ...wanted, digest });
  } catch (thrown) {
    if (thrown instanceof Violation) throw thrown;
    refusal(thrown);
  }
  await plugin.calls.info({});
  demandEqual('another stream meanwhile:', other.state, 'open');
  other.close();
  await remove(plugin, wanted, true);
}

function demandPlainRefusal(thrown: unknown): void {
  const code = statusOf(thrown);
  const isPlain = code === 'INVALID_ARGUMENT' || code === 'FAILED_PRECONDITION';
  demand(isPlain, 'OK, INVALID_ARGUMENT or FAILED_PRECONDITION', `${code}: ${textOf(thrown)}`);
  const { length } = Buffer.from(thrown instanceof Error ? thrown.message : '');
  demand(length <= MOST_ERROR_BYTES, `an error of ${MOST_ERROR_BYTES} bytes at most`, `${length}`);
}

function textOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 200);
}

const largeRequest: Rule = {
  id: 'streams/large-request',
  title: 'A request of nearly 1 MiB is answered, and the connection lives on',
  needs: ['short'],
  shares: true,
  check(bench) {
    const value = 'v'.repeat(90_000);
    const names = Array.from({ length: 10 }, (_, at) => `LARGE_${at}`);
    const env = Object.fromEntries(names.map((name) => [name, value]));
    return demandAnswered(bench, bench.spec('short', { env }), demandPlainRefusal);
  },
};

const largeRefusal: Rule = {
  id: 'streams/large-refusal',
  title: 'A refusal is a short error, however large the params that it refuses',
  needs: ['short'],
  shares: true,
  check(bench) {
    const { samples } = bench;
    const paramsJson = JSON.stringify({ ...samples.short, ['Unknown'.padEnd(900_000, 'w')]: 1 });
    return demandAnswered(bench, { ...bench.spec('short'), paramsJson }, demandPlainRefusal);
  },
};

/** Runs the sample to its end; the number of the first event that names it. */
async function eventOf(
  plugin: Plugin,
  spec: Spec,
  events: { readonly seen: readonly { readonly seq: bigint; readonly key?: unknown }[] },
): Promise<bigint> {
  await launch(plugin, spec);
  await ended(plugin, spec);
  await remove(plugin, spec, true);
  const told = JSON.stringify(spec.key.executionId);
  const event = await until(
    `an event for the end of run ${spec.key.executionId}`,
    () => events.seen.find(({ key }) => JSON.stringify(key ?? '').includes(told)),
    NEWS_MS,
  );
  return event.seq;
}

const events: Rule = {
  id: 'streams/events',
  title: 'The end of a run rings an event, and events are numbered upwards',
  needs: ['short'],
  shares: true,
  async check(bench) {
    const { plugin } = bench;
    const stream = background((signal) => plugin.calls.events({}, { signal }));
    await plugin.calls.info({});
    await eventOf(plugin, bench.spec('short'), stream);
    await eventOf(plugin, bench.spec('short'), stream);
    const numbers = stream.seen.map(({ seq }) => seq);
    const isRising = numbers.every((seq, at) => at === 0 || seq > (numbers[at - 1] ?? 0n));
    demand(isRising && (numbers[0] ?? 0n) > 0n, 'numbers that rise from 1 on', numbers.join(', '));
    stream.close();
  },
};

const eventsSince: Rule = {
  id: 'streams/events-since',
  title: 'Who comes back with the number of the last event gets what followed it',
  needs: ['short'],
  shares: true,
  async check(bench) {
    const { plugin } = bench;
    const stream = background((signal) => plugin.calls.events({}, { signal }));
    await plugin.calls.info({});
    const first = await eventOf(plugin, bench.spec('short'), stream);
    const second = await eventOf(plugin, bench.spec('short'), stream);
    stream.close();
    const again = background((signal) => plugin.calls.events({ sinceSeq: first }, { signal }));
    const next = await until('an event', () => again.seen[0], NEWS_MS);
    await until(
      `event ${second} again, or a gap`,
      () => again.seen.some(({ seq, gap }) => gap || seq === second),
      NEWS_MS,
    );
    demand(next.gap || next.seq > first, `a number above ${first}, or a gap`, `${next.seq}`);
    again.close();
  },
};

const eventsGap: Rule = {
  id: 'streams/events-gap',
  title: 'Who comes back with a number that the plugin does not know is told of a gap at once',
  shares: true,
  async check({ plugin }) {
    const sinceSeq = 1_000_000_000n;
    const stream = background((signal) => plugin.calls.events({ sinceSeq }, { signal }));
    const first = await until('an event with `gap`', () => stream.seen[0], NEWS_MS);
    demandEqual('gap', first.gap, true);
    stream.close();
  },
};

const slowReader: Rule = {
  id: 'streams/slow-reader',
  title:
    'A reader that stops reading holds up neither the run nor other readers, and misses nothing',
  needs: ['huge'],
  shares: true,
  seconds: 120,
  check: (bench) =>
    withRun(bench.plugin, bench.spec('huge'), async (run) => {
      const { plugin } = bench;
      const { executionId } = run.key;
      const wanted = lines(200_000);
      const { calls } = plugin.connect();
      const slow = calls.logs({ executionId, follow: true }, { deadlineMs: 100_000 });
      const reader = slow[Symbol.asyncIterator]();
      const pieces = [await within('a first message', NEWS_MS, reader.next())];
      await ended(plugin, run);
      const other = await readLog(plugin, run, { follow: true, withinMs: READ_MS });
      demandBytes(other.bytes, wanted);
      await status(plugin, run);
      while (pieces.at(-1)?.done !== true) pieces.push(await reader.next());
      const frames = pieces.flatMap(({ value }) => value?.frames ?? []);
      demandBytes(Buffer.concat(frames.map(({ data }) => data)), wanted);
    }),
};

export const streamsRules: readonly Rule[] = [
  ...[largeRequest, largeRefusal, cancelled],
  ...[events, eventsSince, eventsGap, slowReader],
  ...[stats, statsUnknown, execExit],
];
