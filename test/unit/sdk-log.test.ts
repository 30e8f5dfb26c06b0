import t, { type Test } from 'tap';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { byTable, crc32 } from '../../plugins/sdk/crc-32.ts';
import { encodeFrame, frameOf, headAt, type Frame } from '../../plugins/sdk/log-frame.ts';
import { readLog, type LogRequest } from '../../plugins/sdk/log-reader.ts';
import { LogTable } from '../../plugins/sdk/log-table.ts';
import { LogWriter, type LogLimits } from '../../plugins/sdk/log-writer.ts';
import { eventually } from '../kit/eventually.ts';

const SMALL: LogLimits = { segmentBytes: 300, segments: 3 };

const folderOf = (t: Test) => join(t.testdir({}), 'e-1');

const open = async (t: Test, folder: string, limits?: LogLimits) => {
  const log = await LogWriter.open(folder, limits);
  t.teardown(() => log.close());
  return log;
};

const add = (log: LogWriter, text: string, cursor = text, run = 0) =>
  log.append(run, { stream: 'stdout', timeMs: 1, data: Buffer.from(text), cursor });

async function read(log: LogWriter, request: Partial<LogRequest> = {}) {
  const seen = { text: '', end: false, next: 0, truncated: 0, largest: 0 };
  const whole = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0, ...request };
  for await (const piece of readLog(log, whole, new AbortController().signal)) {
    const before = seen.text.length;
    for (const { data } of piece.frames) seen.text += Buffer.from(data).toString();
    seen.largest = Math.max(seen.largest, seen.text.length - before);
    seen.end = piece.end;
    seen.next = piece.nextOffset;
    if (piece.hole !== undefined) seen.truncated = piece.hole.to;
  }
  return seen;
}

t.test('a frame comes back as it was, damage does not', async (t) => {
  const frame = {
    kind: 'stderr' as const,
    run: 3,
    timeMs: 1_795_000_000_123,
    offset: 2 ** 40 + 1,
    cursor: '12:34',
    data: Buffer.from('späte Zeile\n'),
  };
  const bytes = encodeFrame(frame, 7);
  const decode = (from: Buffer) => {
    const head = headAt(from, 0, 7);
    return head === undefined || head === 'short' ? head : frameOf(from, head);
  };
  const { kind, run, timeMs, offset, cursor, data } = decode(bytes) as Frame;
  t.strictSame({ kind, run, timeMs, offset, cursor, data }, frame);
  t.match(headAt(bytes, 0, 7), { length: bytes.length });
  t.equal(headAt(bytes, 0, 8), undefined, 'of another file');
  t.equal(decode(bytes.subarray(0, bytes.length - 1)), undefined, 'torn');
  t.equal(decode(bytes.subarray(0, 42)), 'short', 'torn within its cursor');
  for (const at of [0, 5, 8, 11, 20, 37, 41, 46, bytes.length - 5]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    t.equal(decode(damaged), undefined, `a changed byte ${at}`);
  }
});

t.test('the digest is that of zlib, with and without it', async (t) => {
  for (const size of [0, 1, 9, 255, 256, 70_000]) {
    const bytes = randomBytes(size + 7);
    const part = { from: 3, to: size + 3, value: 99 };
    const wanted = zlib.crc32(bytes.subarray(3, size + 3), 99);
    t.equal(crc32(bytes, part), wanted);
    t.equal(byTable(bytes, part), wanted);
  }
});

t.test('what was written is read back from any offset', async (t) => {
  const log = await open(t, folderOf(t));
  add(log, 'one\n');
  add(log, 'two\n');
  log.markEnd(0, 'finished');
  t.match(await read(log), { text: 'one\ntwo\n', end: true, next: 8 });
  t.match(await read(log, { fromOffset: 6 }), { text: 'o\n' });
  t.match(await read(log, { fromOffset: 8 }), { text: '', end: true, next: 8 });
  t.match(await read(log, { tailLines: 1 }), { text: 'two\n' });
  t.match(await read(log, { tailLines: 9 }), { text: 'one\ntwo\n' });
});

t.test('a torn tail is cut, and the source goes on behind the last whole frame', async (t) => {
  const folder = folderOf(t);
  const first = await LogWriter.open(folder);
  add(first, 'one\n', 'c1');
  add(first, 'two\n', 'c2');
  first.close();
  const file = join(folder, readdirSync(folder)[0] ?? '');
  truncateSync(file, readFileSync(file).length - 3);
  const again = await open(t, folder);
  t.equal(again.cursorOf(0), 'c1');
  t.equal(again.end, 4);
  t.match(await read(again), { text: 'one\n', end: false });
  add(again, 'two\n', 'c2');
  add(again, 'three\n', 'c3');
  const third = await open(t, folder);
  t.match(await read(third), { text: 'one\ntwo\nthree\n' });
  t.equal(third.cursorOf(0), 'c3');
});

t.test('garbage of a power loss behind the last frame is cut', async (t) => {
  const folder = folderOf(t);
  const first = await LogWriter.open(folder);
  add(first, 'one\n', 'c1');
  first.close();
  appendFileSync(join(folder, readdirSync(folder)[0] ?? ''), Buffer.alloc(5000));
  const again = await open(t, folder);
  add(again, 'two\n');
  t.match(await read(again), { text: 'one\ntwo\n' });
});

t.test('an empty last segment leaves cursor and end to the one before', async (t) => {
  const folder = folderOf(t);
  const first = await LogWriter.open(folder);
  add(first, 'one\n', 'c1');
  first.close();
  writeFileSync(join(folder, '0000000000000004-00000001.log'), 'torn');
  const again = await open(t, folder);
  t.equal(again.cursorOf(0), 'c1');
  add(again, 'two\n', 'c2');
  t.match(await read(again), { text: 'one\ntwo\n', next: 8 });
  t.match(readdirSync(folder).join(), /^0{16}-[0-9a-f]{8}\.log$/, 'the leftover is gone');
});

t.test('rotation keeps the newest segments and says what is gone', async (t) => {
  const folder = folderOf(t);
  const log = await open(t, folder, SMALL);
  for (let i = 0; i < 40; i++) add(log, `line ${String(i).padStart(3, '0')}\n`);
  t.equal(readdirSync(folder).length, 3);
  const seen = await read(log);
  t.ok(seen.truncated > 0 && seen.truncated % 9 === 0, `cut before ${seen.truncated}`);
  t.equal(seen.next, 360);
  t.equal(seen.text.length, 360 - seen.truncated);
  t.match(seen.text, /line 039\n$/);
  t.equal((await read(log, { fromOffset: seen.truncated })).truncated, 0, 'nothing is cut there');
  t.match(await read(log, { tailLines: 9 }), { text: /^line 031\n/, truncated: 0 });
  t.equal((await read(log, { tailLines: 99 })).truncated, seen.truncated, 'not that many are left');
  const again = await open(t, folder, SMALL);
  t.equal(again.end, 360);
  t.equal(again.cursorOf(0), 'line 039\n');
});

t.test('a reader is told of a cut, whatever is left behind it', async (t) => {
  const log = await open(t, folderOf(t), SMALL);
  add(log, 'one\n');
  const pieces = readLog(
    log,
    { fromOffset: 0, follow: true, tailLines: 0, sinceMs: 0 },
    new AbortController().signal,
  );
  t.match((await pieces.next()).value, { nextOffset: 4 });
  for (let i = 0; i < 40; i++) add(log, `line ${String(i).padStart(3, '0')}\n`);
  const [oldest] = log.segments;
  const { value: piece } = await pieces.next();
  const to = oldest?.start;
  t.strictSame(piece?.hole, { from: 4, to, cause: 'retention' }, 'one that was too slow');
  await pieces.return(undefined);
  for (const { file } of log.segments) rmSync(file);
  log.markEnd(0, 'finished');
  t.match(await read(log), { text: '', end: true, truncated: 364, next: 364 });
});

t.test('runs follow each other in one log, each with its own cursor and end', async (t) => {
  const folder = folderOf(t);
  const log = await open(t, folder);
  t.equal(log.hasEnded(0), false);
  add(log, 'a\n', 'c1', 0);
  log.markEnd(0, 'finished');
  t.match(await read(log), { text: 'a\n', end: true });
  add(log, 'b\n', 'c1', 1);
  t.match([log.hasEnded(0), log.hasEnded(1), log.cursorOf(1)], [true, false, 'c1']);
  t.match(await read(log), { text: 'a\nb\n', end: false });
  const again = await open(t, folder);
  t.match([again.hasEnded(0), again.hasEnded(1), again.cursorOf(1)], [true, false, 'c1']);
});

t.test('after another writer was at work, a refreshed log goes on behind it', async (t) => {
  const folder = folderOf(t);
  const late = await open(t, folder);
  const first = await LogWriter.open(folder);
  add(first, 'one\n', 'c1');
  first.close();
  await late.refresh();
  t.equal(late.cursorOf(0), 'c1');
  add(late, 'two\n', 'c2');
  await late.refresh();
  t.match(await read(late), { text: 'one\ntwo\n' });
});

t.test('a follower gets each piece as it comes and leaves at the end mark', async (t) => {
  const log = await open(t, folderOf(t), SMALL);
  const seen: string[] = [];
  const reading = (async () => {
    const request = { fromOffset: 0, follow: true, tailLines: 0, sinceMs: 0 };
    for await (const piece of readLog(log, request, new AbortController().signal))
      seen.push(...piece.frames.map(({ data }) => Buffer.from(data).toString()));
  })();
  for (const text of ['one\n', 'two\n', 'x'.repeat(280) + '\n', 'three\n']) {
    add(log, text);
    await eventually(`the follower to see ${text.slice(0, 9)}`, () => seen.at(-1) === text);
  }
  log.markEnd(0, 'finished');
  await reading;
  t.equal(seen.length, 4);
});

t.test(
  'a follower leaves when its signal fires, and is told when the log is deleted',
  async (t) => {
    const log = await open(t, folderOf(t));
    add(log, 'one\n');
    const stop = new AbortController();
    const follow = async (signal: AbortSignal) => {
      for await (const piece of readLog(
        log,
        { fromOffset: 0, follow: true, tailLines: 0, sinceMs: 0 },
        signal,
      ))
        if (piece.end) return 'end';
      return 'left';
    };
    const first = follow(stop.signal);
    const second = follow(new AbortController().signal);
    stop.abort();
    t.equal(await first, 'left');
    const told = t.rejects(second, {
      code: 'not-found',
      message: /log of execution e-1 is no longer/,
    });
    await log.discard();
    await told;
  },
);

t.test('a piece holds at most 256 KiB, a chunk 64', async (t) => {
  const log = await open(t, folderOf(t));
  for (let i = 0; i < 30; i++) add(log, String(i % 10).repeat(30_000), 'c');
  const seen = await read(log);
  t.equal(seen.text.length, 900_000);
  t.ok(seen.largest > 200_000 && seen.largest <= 256 * 1024, `${seen.largest} bytes`);
  t.throws(() => add(log, 'x'.repeat(65_537)), { code: 'too-large' });
});

t.test('a table lends one writer to all and closes it after the last', async (t) => {
  const table = new LogTable(t.testdir({}));
  const reader = table.using('e-1', async (log) => {
    await eventually('the other user has written', () => log.end === 4);
    return log;
  });
  const writer = await table.using('e-1', async (log) => {
    add(log, 'one\n');
    return log;
  });
  t.equal(await reader, writer);
  t.not(await table.using('e-1', async (log) => log), writer);
  await t.rejects(
    table.using('../e-1', async () => undefined),
    { code: 'invalid-id' },
  );
});
