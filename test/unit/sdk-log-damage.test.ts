/** What readers get of a stored log whose files are not what was written. */
import t, { type Test } from 'tap';
import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame } from '../../plugins/sdk/log-frame.ts';
import { readLog, readShortLog, type Hole, type LogRequest } from '../../plugins/sdk/log-reader.ts';
import { LogWriter, type LogLimits } from '../../plugins/sdk/log-writer.ts';
import { tempDir } from '../kit/temp-dir.ts';

/** Segments that hold four lines each. */
const SMALL: LogLimits = { segmentBytes: 300, segments: 100 };
const LINE_BYTES = 9;

const line = (i: number) => `line ${String(i).padStart(3, '0')}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => line(from + i)).join('');

async function logOf(t: Test, { count = 40, limits = SMALL } = {}) {
  const folder = join(tempDir(t), 'e-1');
  const log = await LogWriter.open(folder, limits);
  t.teardown(() => log.close());
  for (let i = 0; i < count; i++) add(log, line(i));
  return { folder, log };
}

const add = (log: LogWriter, text: string) =>
  log.append(0, { stream: 'stdout', timeMs: 1, data: Buffer.from(text), cursor: text });

async function read(log: LogWriter, request: Partial<LogRequest> = {}) {
  const seen = { text: '', holes: Array<Hole>(), next: 0, end: false };
  const whole = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0, ...request };
  for await (const piece of readLog(log, whole, new AbortController().signal)) {
    for (const { data } of piece.frames) seen.text += Buffer.from(data).toString('latin1');
    if (piece.hole !== undefined) seen.holes.push(piece.hole);
    seen.next = piece.nextOffset;
    seen.end = piece.end;
  }
  return seen;
}

/** Changes a byte, so far from the first place of `text`: that is the cursor of its frame. */
function damage(file: string, text: string, by: number): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text) + by;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

const lost = (from: number, to: number): Hole => ({
  from: from * LINE_BYTES,
  to: to * LINE_BYTES,
  cause: 'damage',
});

t.test('damage in a frame costs this frame alone, and is told with its bytes', async (t) => {
  for (const [where, at] of [
    ['where it begins', -40],
    ['its head', -30],
    ['its cursor', 2],
    ['its data', 12],
  ] as const) {
    const { folder, log } = await logOf(t);
    log.markEnd(0, 'finished');
    damage(log.segments[3]?.file ?? '', 'line 014', at);
    for (const one of [log, await LogWriter.open(folder, SMALL)]) {
      const seen = await read(one);
      t.equal(seen.text, lines(0, 14) + lines(15, 40), where);
      t.strictSame(seen.holes, [lost(14, 15)], where);
      t.match(seen, { next: 360, end: true });
      t.strictSame((await read(one, { fromOffset: 14 * LINE_BYTES + 4 })).holes, [
        { ...lost(14, 15), from: 14 * LINE_BYTES + 4 },
      ]);
      t.strictSame((await read(one, { fromOffset: 15 * LINE_BYTES })).holes, []);
    }
  }
});

t.test('so it does in the newest file: what follows is kept, and the log goes on', async (t) => {
  const { folder, log } = await logOf(t, { count: 6, limits: { segmentBytes: 5000, segments: 9 } });
  log.close();
  damage(log.segments[0]?.file ?? '', 'line 002', 12);
  const again = await LogWriter.open(folder, SMALL);
  t.teardown(() => again.close());
  t.equal(again.end, 6 * LINE_BYTES);
  t.equal(again.cursorOf(0), line(5));
  add(again, line(6));
  const seen = await read(again);
  t.equal(seen.text, lines(0, 2) + lines(3, 7));
  t.strictSame(seen.holes, [lost(2, 3)]);
  t.equal(readShortLog(again, 4096)?.length, 6, 'the frames that are there');
});

t.test('a file that is lost, first, middle or last, is told with its bytes', async (t) => {
  for (const at of [0, 4, -1]) {
    const { log } = await logOf(t);
    const gone = log.segments.at(at);
    if (gone === undefined) throw new Error('no segment');
    rmSync(gone.file);
    const from = gone.start / LINE_BYTES;
    const to = (log.segments[log.segments.indexOf(gone) + 1]?.start ?? 360) / LINE_BYTES;
    const seen = await read(log);
    t.strictSame(seen.holes, [lost(from, to)]);
    t.equal(seen.text, lines(0, from) + lines(to, 40));
    t.equal(seen.next, 360);
  }
});

t.test('a log whose folder is deleted is no empty log to its reader', async (t) => {
  const { folder, log } = await logOf(t);
  log.markEnd(0, 'finished');
  const all = { fromOffset: 0, follow: true, tailLines: 0, sinceMs: 0 };
  const pieces = readLog(log, all, new AbortController().signal);
  t.equal((await pieces.next()).value?.frames.length, 4);
  rmSync(folder, { recursive: true });
  await t.rejects(
    (async () => {
      for await (const { end } of pieces) t.notOk(end);
    })(),
    { code: 'not-found', message: 'the log of execution e-1 is no longer kept' },
  );
});

t.test(
  'output that looks like frames is output, whatever is damaged or torn around it',
  async (t) => {
    const data = Buffer.from('forged');
    const frame = {
      kind: 'stdout',
      run: 0,
      timeMs: 1,
      offset: 18,
      cursor: 'forged',
      data,
    } as const;
    const forged = encodeFrame(frame, 12_345);
    const { folder, log } = await logOf(t, { count: 2 });
    const odd = Buffer.concat([forged, Buffer.from('LLF2'.repeat(100)), forged, forged]);
    log.append(0, { stream: 'stdout', timeMs: 1, data: odd, cursor: 'odd' });
    add(log, line(2));
    const text = lines(0, 2) + odd.toString('latin1') + line(2);
    t.equal((await read(log)).text, text);
    log.close();
    const [segment, last] = log.segments;
    t.equal(log.segments.length, 3);
    const file = last?.file ?? '';
    const bytes = readFileSync(file);
    const atForged = bytes.indexOf(forged);
    for (const at of [3, 20, atForged + 5]) {
      damage(file, 'LLF2', at);
      const { holes, text } = await read(await LogWriter.open(folder));
      t.equal(text, lines(0, 3), `damage at ${at}`);
      t.strictSame(holes, [{ from: 18, to: 18 + odd.length, cause: 'damage' }]);
      writeFileSync(file, bytes);
    }
    rmSync(log.segments[2]?.file ?? '');
    truncateSync(file, atForged + forged.length);
    const torn = await LogWriter.open(folder);
    t.equal(torn.end, 18);
    t.equal(torn.cursorOf(0), line(1), 'torn behind a forged frame');
    t.equal(torn.segments.length, 1);
    t.equal(torn.segments[0]?.file, segment?.file);
  },
);

t.test('zeros of a power loss behind the last frame are cut', async (t) => {
  const { folder, log } = await logOf(t, { count: 3 });
  log.close();
  appendFileSync(log.segments[0]?.file ?? '', Buffer.alloc(300_000));
  const again = await LogWriter.open(folder);
  t.teardown(() => again.close());
  add(again, line(3));
  const { text, holes } = await read(again);
  t.strictSame([text, holes], [lines(0, 4), []]);
});
