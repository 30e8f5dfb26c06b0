import t from 'tap';
import { LogCursor } from '../../executors/docker/log-cursor.ts';
import { entryBytes, fileSize } from '../../executors/docker/log-file.ts';
import { demux, parseTimestamp, type Frame } from '../../executors/docker/log-frames.ts';

/** ns */
const MINUTE = 60_000_000_000;

function frame(at: number, text: string, stream: Frame['stream'] = 'stdout'): Frame {
  return { stream, at: BigInt(MINUTE + at), data: Buffer.from(text) };
}

/** What is taken of one connection's frames, none of which fills a file. */
function taken(cursor: LogCursor, frames: readonly Frame[]): string {
  const pass = cursor.pass({ fileSize: 1e9 });
  return frames.map((f) => (pass.take(f) === 'duplicate' ? '' : f.data.toString())).join('');
}

const line = (n: number) => frame(1_000 + n, `${n}\n`);
const some = [1, 2, 3, 4, 5].map(line);

void t.test('what a connection repeats from the cursor on is taken once', async (t) => {
  const cursor = LogCursor.parse('');
  t.equal(taken(cursor, some.slice(0, 3)), '1\n2\n3\n');
  t.equal(taken(cursor, some.slice(2)), '4\n5\n');
  t.equal(taken(cursor, some), '');
});

void t.test('a cursor that was stored goes on at the same place', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, some.slice(0, 3));
  const again = LogCursor.parse(cursor.snapshot()());
  t.equal(again.since, '50.000001003');
  t.equal(taken(again, some), '4\n5\n');
});

void t.test('a follower that goes back within one connection is heard once', async (t) => {
  t.equal(taken(LogCursor.parse(''), [...some.slice(0, 4), ...some.slice(1)]), '1\n2\n3\n4\n5\n');
  t.equal(taken(LogCursor.parse(''), [line(1), line(2), line(2), line(3)]), '1\n2\n3\n');
});

void t.test('the parts of one long line share a time and are all taken', async (t) => {
  const parts = [frame(7, 'a'), frame(7, 'a'), frame(7, 'a\n')];
  const cursor = LogCursor.parse('');
  t.equal(taken(cursor, parts.slice(0, 2)), 'aa');
  const resumed = LogCursor.parse(cursor.snapshot()());
  t.equal(taken(resumed, parts), 'a\n', 'resumed in the middle of the line');
  t.equal(taken(LogCursor.parse(''), [...parts, ...parts]), 'aaa\n', 'repeated as a whole');
});

void t.test('two lines at the same instant are both taken', async (t) => {
  t.equal(taken(LogCursor.parse(''), [frame(7, 'a\n'), frame(7, 'b\n')]), 'a\nb\n');
});

void t.test('each stream has a cursor of its own', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, [frame(100, 'o\n'), frame(50, 'e\n', 'stderr')]);
  t.equal(taken(cursor, [frame(60, 'f\n', 'stderr'), frame(100, 'o\n')]), 'f\n');
  t.equal(cursor.since, '60.000000060');
});

void t.test('a silent stream does not have everything read again', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, [frame(1, 'e\n', 'stderr'), frame(MINUTE, 'o\n')]);
  t.equal(cursor.since, '110.000000000');
  const pass = cursor.pass();
  t.equal(pass.take(frame(MINUTE, 'o\n')), 'duplicate');
  t.equal(pass.take(frame(MINUTE + 1, 'f\n', 'stderr')), 'new', 'its old place need not come back');
});

void t.test('a place that does not come back is a gap, told once', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, [line(1)]);
  const pass = cursor.pass();
  t.equal(pass.take(line(3)), 'new-after-gap');
  t.equal(pass.take(line(4)), 'new');
});

/** A size that three lines fill. */
const FILE = 3 * entryBytes(line(1)) - 2;
/** ns within which a file could be written */
const LATER = 10 * FILE;
/** Each so late after the one before. */
const late = (n: number) => frame(n * LATER + 1, `${n % 10}\n`);

void t.test('after a full file a connection that may have left one out is unsure', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, some.slice(0, 2));
  const pass = LogCursor.parse(cursor.snapshot()()).pass({ fileSize: FILE });
  t.equal(pass.take(line(2)), 'duplicate');
  t.equal(pass.take(line(3)), 'new', 'the last of its file');
  t.equal(pass.take(line(4)), 'new', 'too near to hold a file in between');
  t.equal(pass.take(late(5)), 'new', 'within a file nothing is left out');
  t.equal(pass.take(late(6)), 'new', 'the last of its file');
  t.equal(pass.take(late(9)), 'unsure');
});

void t.test('the connection that looks again is believed, and no other', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, some.slice(0, 3));
  const fresh = cursor.pass({ fileSize: FILE });
  t.equal(fresh.take(line(3)), 'duplicate');
  t.equal(fresh.take(late(10)), 'unsure', 'it may have waited where the file ended');
  const again = cursor.pass({ fileSize: FILE, again: true });
  t.equal(again.take(line(3)), 'duplicate');
  t.equal(again.take(late(7)), 'new');
  t.equal(again.take(late(8)), 'new');
  t.equal(again.take(late(9)), 'new', 'the next file is full');
  t.equal(again.take(late(10)), 'unsure', 'believed for its beginning alone');
});

void t.test('what is left after a gap begins a file', async (t) => {
  const cursor = LogCursor.parse('');
  taken(cursor, some.slice(0, 2));
  const pass = cursor.pass({ fileSize: FILE });
  const verdicts = [7, 8, 9, 10].map((n) => pass.take(late(n)));
  t.strictSame(verdicts, ['new-after-gap', 'new', 'new', 'unsure']);
});

void t.test('a cursor that cannot be read is corrupt', async (t) => {
  for (const text of ['x', '{"stdout":{"k":"-1","c":1}}', '[]'])
    t.throws(() => LogCursor.parse(text), { code: 'store-corrupt' }, text);
});

void t.test('sizes are read as the engine reads them', async (t) => {
  const sizes = ['10m', '64k', '1g', '500', '1.5m', ''].map(fileSize);
  t.strictSame(sizes, [10_000_000, 64_000, 1_000_000_000, 500, undefined, undefined]);
});

void t.test('times keep their nanoseconds', async (t) => {
  t.equal(parseTimestamp('2026-11-22T02:38:08.123456789Z'), 1795315088123456789n);
  t.equal(parseTimestamp('2026-11-22T02:38:08.1Z'), 1795315088100000000n);
  t.throws(() => parseTimestamp('yesterday'), { code: 'engine-failed' });
});

function wire(kind: number, text: string): Buffer {
  const payload = Buffer.from(`1970-01-01T00:00:00.000000009Z ${text}`);
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function frames(source: AsyncIterable<Buffer>): Promise<string[]> {
  const all: string[] = [];
  for await (const some of demux(source))
    all.push(...some.map((f) => `${f.stream} ${f.at} ${f.data.toString()}`));
  return all;
}

void t.test('frames come out whole, however the bytes are cut', async (t) => {
  const bytes = Buffer.concat([wire(1, 'one two\n'), wire(2, ''), wire(1, 'x')]);
  for (const size of [1, 7, 8, 9, 50, 1000])
    t.same(await frames(pieces(bytes, size)), ['stdout 9 one two\n', 'stderr 9 ', 'stdout 9 x']);
  const cut = bytes.subarray(0, bytes.length - 1);
  await t.rejects(frames(pieces(cut, 50)), { code: 'unavailable' });
});

void t.test('why the engine breaks a log off is told', async (t) => {
  const bytes = Buffer.concat([wire(1, 'one\n'), wire(3, 'Error grabbing logs: no file')]);
  await t.rejects(frames(pieces(bytes, 1000)), {
    code: 'unavailable',
    message: /Error grabbing logs: no file/,
  });
});
