/**
 * The rules of Logs.
 *
 *   rule                done                                            expected
 *   logs/streams        `short`, followed to the end                    `out` on stdout, `err` on stderr
 *   logs/whole          `flood`, followed to the end                    its 300 kB, byte for byte; offsets without a hole
 *   logs/live           `long`, followed while it runs                  a line is given within 10 s, not at the end
 *   logs/end            `long` followed, then stopped                   the last message has `end`, and the stream ends
 *   logs/no-follow      `long`, read without follow                     the stream ends by itself, without `end`
 *   logs/at-exit        `flood`, read when its end is first told        the whole log is there already, with `end`
 *   logs/state-offset   log_offset of the ended `flood`                 where the log ends
 *   logs/offsets        `flood` from nine offsets                       the same bytes from each
 *   logs/tail           `flood`: last 3 lines, more than there are      these lines; all
 *   logs/since          `long`, since the time of its third line        that line and all behind it; more is fine
 *   logs/frames         `flood`                                         frames of 64 KiB, messages of 1 MiB at most
 *   logs/runs           two runs of one execution                       one log: the second goes on behind the first
 *   logs/kept           Remove without logs                             the whole log stays, with its end
 *   logs/removed        Remove with logs                                nothing of it is left
 *   logs/rotation       `huge` (12 MB), followed; then read             the same bytes; what is gone is told
 */
import { toBinary } from '@bufbuild/protobuf';
import { LogsResponseSchema } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual, statusOf } from './expect.ts';
import { demandBytes, demandContiguous } from './log-bytes.ts';
import { rotation } from './rule-rotation.ts';
import { ended, logged, readLog, remove, stop, type ReadLog } from './steps.ts';
import type { Bench, Rule, Spec } from './types.ts';
import { lines, withRun, withTicks } from './work.ts';

const FLOOD_LINES = 5000;

function ofRun(bench: Bench, use: (spec: Spec) => Promise<void>, run = bench.spec('flood')) {
  return withRun(bench.plugin, run, use);
}

function demandWhole(log: ReadLog, wanted = lines(FLOOD_LINES)): void {
  demandContiguous(log, 0);
  demandBytes(log.bytes, wanted);
  demandEqual('next_offset of the last message', log.next, wanted.length);
}

const streams: Rule = {
  id: 'logs/streams',
  title: 'What a run prints comes on the stream to which it was printed',
  needs: ['short'],
  shares: true,
  check: (bench) =>
    withRun(bench.plugin, bench.spec('short'), async (run) => {
      const log = await readLog(bench.plugin, run, { follow: true });
      demandEqual('stdout', JSON.stringify(log.stdout), '"out\\n"');
      demandEqual('stderr', JSON.stringify(log.stderr), '"err\\n"');
    }),
};

const whole: Rule = {
  id: 'logs/whole',
  title: '300 kB of output come whole, in order, with offsets that count its bytes',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => demandWhole(await readLog(bench.plugin, run, { follow: true }))),
};

const live: Rule = {
  id: 'logs/live',
  title: 'A followed log gives each line while the run goes on',
  needs: ['long'],
  shares: true,
  check: (bench) =>
    withTicks(bench, { sample: 'long' }, async (run) => {
      const from = (await readLog(bench.plugin, run)).next;
      const { executionId } = run.key;
      const pieces = bench.plugin.calls.logs(
        { executionId, fromOffset: BigInt(from), follow: true },
        { deadlineMs: 10_000 },
      );
      for await (const { frames } of pieces) if (frames.length > 0) return;
      demand(false, 'a line within 10 s', 'the end of the stream');
    }),
};

const end: Rule = {
  id: 'logs/end',
  title: 'A followed log ends, with `end` in its last message, when the run has ended',
  needs: ['long'],
  shares: true,
  check: (bench) =>
    withTicks(bench, { sample: 'long' }, async (run) => {
      const { plugin } = bench;
      const followed = readLog(plugin, run, { follow: true });
      followed.catch(() => undefined);
      await stop(plugin, run);
      await ended(plugin, run);
      const log = await followed;
      demandEqual('`end` in the last message', log.end, true);
      demand(log.stdout.startsWith('tick 0\n'), 'the lines of the run', JSON.stringify(log.stdout));
    }),
};

const noFollow: Rule = {
  id: 'logs/no-follow',
  title: 'A log that is read without follow ends with what is there now',
  needs: ['long'],
  shares: true,
  check: (bench) =>
    withTicks(bench, { sample: 'long' }, async (run) => {
      const log = await readLog(bench.plugin, run, { withinMs: 10_000 });
      demandEqual('`end` while the run goes on', log.end, false);
      demand(log.stdout.startsWith('tick 0\n'), 'the lines of the run', JSON.stringify(log.stdout));
    }),
};

const atExit: Rule = {
  id: 'logs/at-exit',
  title: 'An end is told when the log is complete, not before',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      await ended(bench.plugin, run);
      const log = await readLog(bench.plugin, run);
      demandWhole(log);
      demandEqual('`end` in the last message', log.end, true);
    }),
};

const stateOffset: Rule = {
  id: 'logs/state-offset',
  title: 'log_offset of an ended run is the end of its log',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      const { logOffset } = await ended(bench.plugin, run);
      const log = await readLog(bench.plugin, run);
      demandEqual('log_offset', Number(logOffset), log.next);
    }),
};

const offsets: Rule = {
  id: 'logs/offsets',
  title: 'A log gives the same bytes from any offset',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      await ended(bench.plugin, run);
      const wanted = lines(FLOOD_LINES);
      const { length } = wanted;
      for (const from of [0, 1, 59, 60, 65_535, 65_536, 150_001, length - 1, length]) {
        const log = await readLog(bench.plugin, run, { from });
        demandContiguous(log, from);
        demandBytes(log.bytes, wanted.subarray(from), from);
        demandEqual(`from offset ${from}: next_offset`, log.next, length);
      }
    }),
};

const tail: Rule = {
  id: 'logs/tail',
  title: 'tail_lines gives the last lines only, and all when there are fewer',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      await ended(bench.plugin, run);
      const wanted = lines(FLOOD_LINES);
      const three = await readLog(bench.plugin, run, { tail: 3 });
      demandBytes(three.bytes, wanted.subarray(-180), wanted.length - 180);
      const all = await readLog(bench.plugin, run, { tail: FLOOD_LINES + 1 });
      demandBytes(all.bytes, wanted);
    }),
};

const since: Rule = {
  id: 'logs/since',
  title: 'since_ms gives the first line of that time and all that follow; a plugin may give all',
  needs: ['long'],
  shares: true,
  check: (bench) =>
    withRun(bench.plugin, bench.spec('long'), async (run) => {
      const { plugin } = bench;
      const whole = await logged(plugin, run, 'tick 4\n');
      // A line may come in several frames.
      const begin = BigInt(whole.bytes.indexOf('tick 2\n'));
      const third = whole.frames.find(
        ({ offset, data }) => offset <= begin && begin < offset + BigInt(data.length),
      );
      demand(third !== undefined, 'a frame with `tick 2`', JSON.stringify(whole.stdout));
      const log = await readLog(plugin, run, { since: Number(third?.timeMs ?? 0n) });
      const from = log.frames.find(({ offset }) => offset <= (third?.offset ?? 0n))?.offset ?? -1n;
      demand(from >= 0n, `a frame with offset ${third?.offset} or before`, 'none');
      demandContiguous(log, Number(from));
      const wanted = whole.bytes.subarray(Number(from));
      demandBytes(log.bytes.subarray(0, wanted.length), wanted, Number(from));
    }),
};

const frames: Rule = {
  id: 'logs/frames',
  title: 'No frame of a log holds more than 64 KiB, no message more than 1 MiB',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      await ended(bench.plugin, run);
      const { executionId } = run.key;
      for await (const piece of bench.plugin.calls.logs({ executionId }, { deadlineMs: 30_000 })) {
        const largest = Math.max(0, ...piece.frames.map(({ data }) => data.length));
        demand(largest <= 64 * 1024, 'frames of 65536 bytes at most', `one of ${largest}`);
        const size = toBinary(LogsResponseSchema, piece).length;
        demand(size <= 1024 * 1024, 'messages of 1048576 bytes at most', `one of ${size}`);
      }
    }),
};

const runs: Rule = {
  id: 'logs/runs',
  title: 'The runs of an execution share one log: the next one goes on where the last one ended',
  needs: ['short'],
  shares: true,
  check: (bench) => ofRun(bench, (first) => secondRun(bench, first), bench.spec('short')),
};

async function secondRun(bench: Bench, first: Spec): Promise<void> {
  const { plugin } = bench;
  await ended(plugin, first);
  const before = await readLog(plugin, first);
  await remove(plugin, first);
  const { executionId, run } = first.key;
  const second = bench.spec('short', { executionId, run: run + 1 });
  await withRun(plugin, second, async () => {
    await ended(plugin, second);
    const log = await readLog(plugin, second);
    demandContiguous(log, 0);
    demandEqual('stdout of both runs', JSON.stringify(log.stdout), '"out\\nout\\n"');
    const behind = log.frames.find(({ offset }) => Number(offset) >= before.next);
    demandEqual('offset of the second run', Number(behind?.offset ?? -1), before.next);
  });
}

const kept: Rule = {
  id: 'logs/kept',
  title: 'Remove without logs leaves the log whole and ended',
  needs: ['flood'],
  shares: true,
  check: (bench) =>
    ofRun(bench, async (run) => {
      await ended(bench.plugin, run);
      await remove(bench.plugin, run);
      const log = await readLog(bench.plugin, run, { follow: true, withinMs: 10_000 });
      demandWhole(log);
      demandEqual('`end` in the last message', log.end, true);
    }),
};

const removed: Rule = {
  id: 'logs/removed',
  title: 'Remove with logs leaves nothing of the log',
  needs: ['short'],
  shares: true,
  check: (bench) =>
    ofRun(
      bench,
      async (run) => {
        await ended(bench.plugin, run);
        await remove(bench.plugin, run, true);
        const log = await readLog(bench.plugin, run).catch((thrown: unknown) => {
          demandEqual('status of Logs', statusOf(thrown), 'NOT_FOUND');
        });
        demandEqual('bytes that are left', log?.bytes.length ?? 0, 0);
      },
      bench.spec('short'),
    ),
};

export const logsRules: readonly Rule[] = [
  ...[streams, whole, live, end, noFollow, atExit, stateOffset],
  ...[offsets, tail, since, frames, runs, kept, removed, rotation],
];
