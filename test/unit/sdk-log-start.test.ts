/** Where a reader begins who wants the last lines, or what was printed since a time. */
import t, { type Test } from 'tap';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readLog, type Hole, type LogRequest } from '../../plugins/sdk/log-reader.ts';
import { LogWriter, type LogLimits } from '../../plugins/sdk/log-writer.ts';
import { tempDir } from '../kit/temp-dir.ts';

const SMALL: LogLimits = { segmentBytes: 300, segments: 5 };

async function openLog(t: Test, limits?: LogLimits): Promise<LogWriter> {
  const log = await LogWriter.open(join(tempDir(t), 'e-1'), limits);
  t.teardown(() => log.close());
  return log;
}

/** Line i is of second i. */
function addLines(log: LogWriter, from: number, to: number): void {
  for (let i = from; i < to; i++)
    log.append(0, { stream: 'stdout', timeMs: i * 1000, data: Buffer.from(line(i)), cursor: 'c' });
}

const line = (i: number) => `line ${String(i).padStart(3, '0')}\n`;

async function read(log: LogWriter, request: Partial<LogRequest>) {
  const seen = { text: '', holes: Array<Hole>() };
  const whole = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0, ...request };
  for await (const { frames, hole } of readLog(log, whole, new AbortController().signal)) {
    for (const { data } of frames) seen.text += Buffer.from(data).toString();
    if (hole !== undefined) seen.holes.push(hole);
  }
  return { ...seen, first: seen.text.slice(0, 9), lines: seen.text.length / 9 };
}

t.test('the last lines of a large file are read from its end', async (t) => {
  const log = await openLog(t);
  const data = Buffer.from('x'.repeat(1023) + '\n');
  for (let i = 0; i < 8 * 1024; i++)
    log.append(0, { stream: 'stdout', timeMs: 1, data, cursor: 'c' });
  addLines(log, 0, 100);
  log.markEnd(0, 'finished');
  const [segment] = log.segments;
  const file = openSync(segment?.file ?? '', 'r+');
  writeSync(file, Buffer.alloc(8 * 1024 * 1024), 0, 8 * 1024 * 1024, 0);
  closeSync(file);
  const seen = await read(log, { tailLines: 60 });
  t.equal(seen.first, line(40), 'whatever is left of its beginning');
  t.strictSame([seen.lines, seen.holes], [60, []]);
});

t.test('the last lines are found before damage too', async (t) => {
  const log = await openLog(t);
  addLines(log, 0, 50);
  const file = openSync(log.segments[0]?.file ?? '', 'r+');
  const frameBytes = (log.segments[0]?.bytes ?? 0) / 50;
  writeSync(file, Buffer.alloc(4), 0, 4, 45 * frameBytes);
  closeSync(file);
  const seen = await read(log, { tailLines: 10 });
  t.equal(seen.first, line(39), 'a line that is lost counts as none');
  t.strictSame(seen.holes, [{ from: 405, to: 414, cause: 'damage' }]);
});

t.test('since a time: from the first frame of then or later', async (t) => {
  const log = await openLog(t, SMALL);
  addLines(log, 0, 18);
  for (const second of [1, 3, 4, 9, 17]) {
    const seen = await read(log, { sinceMs: second * 1000 - 1 });
    t.equal(seen.first, line(second));
    t.strictSame([seen.lines, seen.holes], [18 - second, []]);
  }
  t.equal((await read(log, { sinceMs: 18_000 })).text, '', 'nothing is as new');
  t.equal((await read(log, { sinceMs: 9000, tailLines: 3 })).first, line(15), 'the later of both');
  t.equal((await read(log, { sinceMs: 9000, tailLines: 12 })).first, line(9), 'the later of both');
  t.equal((await read(log, { sinceMs: 3000, fromOffset: 99 })).first, line(11), 'the later of all');
});

t.test('a follower gets what comes then, and nothing before', async (t) => {
  const log = await openLog(t, SMALL);
  addLines(log, 0, 5);
  const reading = read(log, { sinceMs: 30_000, follow: true });
  addLines(log, 20, 40);
  log.markEnd(0, 'finished');
  t.equal((await reading).first, line(30));
});

t.test('a cut is told to whoever might have wanted what it took, and to nobody else', async (t) => {
  const log = await openLog(t, SMALL);
  addLines(log, 0, 100);
  const oldest = log.segments[0]?.start ?? 0;
  const first = oldest / 9;
  t.ok(first > 50);
  const cut = { from: 0, to: oldest, cause: 'retention' };
  t.strictSame((await read(log, { sinceMs: 1000 })).holes, [cut]);
  t.strictSame((await read(log, { sinceMs: first * 1000 })).holes, [cut]);
  t.strictSame((await read(log, { sinceMs: (first + 1) * 1000 })).holes, []);
  rmSync(log.segments[1]?.file ?? '');
  t.strictSame((await read(log, { sinceMs: (first + 9) * 1000 })).holes, [], 'lost before it');
});
