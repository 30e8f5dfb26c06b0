/** Whether a plugin cuts its logs into files, and how many of them it keeps, is its own business: no reader may be misled. */
import { demand, demandEqual } from './expect.ts';
import { demandBytes, demandContiguous } from './log-bytes.ts';
import { ended, readLog, type ReadLog } from './steps.ts';
import type { Rule } from './types.ts';
import { lines, withRun } from './work.ts';

const HUGE_LINES = 200_000;
const READ_MS = 60_000;

/** Each frame holds what was printed at its offset, up to the last byte; what is missing before it is told to be gone. */
function demandTrue(log: ReadLog, wanted: Buffer): void {
  demandContiguous(log, 0);
  for (const { offset, data } of log.frames) {
    const at = Number(offset);
    demandBytes(Buffer.from(data), wanted.subarray(at, at + data.length), at);
  }
  demandEqual('next_offset of the last message', log.next, wanted.length);
}

export const rotation: Rule = {
  id: 'logs/rotation',
  title: 'A log of 12 MB is followed and read without a byte wrong, lost unseen or doubled',
  needs: ['huge'],
  shares: true,
  seconds: 120,
  check: (bench) =>
    withRun(bench.plugin, bench.spec('huge'), async (run) => {
      const { plugin } = bench;
      const wanted = lines(HUGE_LINES);
      const followed = await readLog(plugin, run, { follow: true, withinMs: READ_MS });
      demandTrue(followed, wanted);
      demandEqual('`end` in the last message', followed.end, true);
      await ended(plugin, run);
      const read = await readLog(plugin, run, { withinMs: READ_MS });
      demandTrue(read, wanted);
      const oldest = Number(read.frames[0]?.offset ?? wanted.length);
      demand(oldest < wanted.length, 'some of the log to be kept', 'nothing');
      const middle = Math.floor((oldest + wanted.length) / 2);
      const rest = await readLog(plugin, run, { from: middle, withinMs: READ_MS });
      demandBytes(rest.bytes, wanted.subarray(middle), middle);
    }),
};
