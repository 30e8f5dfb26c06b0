import t from 'tap';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { rawSource } from '../../plugins/sdk/raw-source.ts';
import type { LogChunk } from '../../plugins/sdk/types.ts';
import { eventually } from '../kit/eventually.ts';

/** Sooner than the safety look of 30 s, also on a slow machine. */
const SOON_MS = 15_000;
const never = new AbortController().signal;
const textOf = ({ data }: LogChunk) => Buffer.from(data).toString('latin1');
const text = (chunks: readonly LogChunk[], stream: string) =>
  chunks
    .filter((chunk) => chunk.stream === stream)
    .map(textOf)
    .join('');

async function all(folder: string, cursor = '', limit = Infinity) {
  const chunks: LogChunk[] = [];
  if (limit === 0) return chunks;
  for await (const chunk of rawSource({ folder, hasEnded: () => true }).read(cursor, never))
    if (chunks.push(chunk) >= limit) break;
  return chunks;
}

t.test('ended output comes whole, in chunks that end with a line', async (t) => {
  const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`).join('');
  const folder = t.testdir({ stdout: lines, stderr: 'no newline at the end' });
  const chunks = await all(folder);
  t.equal(text(chunks, 'stdout'), lines);
  t.equal(text(chunks, 'stderr'), 'no newline at the end');
  for (const { data, stream } of chunks) {
    if (data.length > 65_536) t.fail(`a chunk of ${data.length} bytes`);
    if (stream === 'stdout' && data.at(-1) !== 10) t.fail('a chunk ends within a line');
  }
});

t.test('wherever a reader dies, the next one goes on at the very byte', async (t) => {
  const stdout = 'x'.repeat(100_000) + '\n' + 'short\n'.repeat(20_000) + 'tail';
  const stderr = 'e\n'.repeat(70_000);
  const folder = t.testdir({ stdout, stderr });
  const total = (await all(folder)).length;
  for (let dies = 0; dies <= total; dies++) {
    const before = await all(folder, '', dies);
    const after = await all(folder, before.at(-1)?.cursor ?? '');
    const both = [...before, ...after];
    if (text(both, 'stdout') !== stdout || text(both, 'stderr') !== stderr)
      t.fail(`bytes lost or doubled after ${dies} chunks`);
  }
  t.ok(total > 5, `${total} places to die`);
});

t.test('more than the log keeps is skipped when very much is waiting, and told', async (t) => {
  const MIB = 1024 * 1024;
  const folder = t.testdir({ stdout: 'first\n', stderr: '' });
  const file = join(folder, 'stdout');
  const end = 'x'.repeat(1000) + '\n' + 'line\n'.repeat(20 * MIB);
  truncateSync(file, 300 * MIB - end.length);
  appendFileSync(file, end);
  const chunks = await all(folder);
  const [gap = ''] = chunks.filter(({ stream }) => stream === 'gap').map(textOf);
  const skipped = Number(/^(\d+) bytes of stdout are left out here/.exec(gap)?.[1]);
  const output = text(chunks, 'stdout');
  t.equal(skipped + output.length, 300 * MIB, 'each byte is there or counted');
  t.ok(output.startsWith('line\n') && end.endsWith(output), 'the newest ones, from a line on');
  t.ok(output.length > 99 * MIB, `${output.length} bytes`);
  t.equal(chunks[0]?.stream, 'gap');

  const again = await all(folder, chunks[0]?.cursor);
  t.equal(text(again, 'stdout').length, output.length, 'whoever has the gap goes on behind it');

  truncateSync(file, 200 * MIB);
  t.equal(text(await all(folder), 'stdout').length, 200 * MIB, 'less than that is read whole');
});

t.test('output of a time when nobody read has the time when it was written', async (t) => {
  const folder = t.testdir({ stdout: 'out\n', stderr: 'err\n' });
  const at = (name: string, seconds: number) => utimesSync(join(folder, name), seconds, seconds);
  at('stdout', 1_700_000_100);
  at('stderr', 1_700_000_050);
  const times = (await all(folder)).map(({ timeMs }) => timeMs);
  t.strictSame(times, [1_700_000_100_000, 1_700_000_100_000], 'and never goes back');
});

t.test('live output is seen at once, an unfinished line after a moment', async (t) => {
  const folder = t.testdir({ stdout: '' });
  let ended = false;
  const chunks: LogChunk[] = [];
  const source = rawSource({ folder, hasEnded: () => ended });
  const reading = (async () => {
    for await (const chunk of source.read('', never)) chunks.push(chunk);
  })();
  const file = join(folder, 'stdout');
  appendFileSync(file, 'one\ntw');
  await eventually('the whole line', () => text(chunks, 'stdout').startsWith('one\n'), 5000);
  await eventually('the start of the next', () => text(chunks, 'stdout') === 'one\ntw', 5000);
  appendFileSync(file, 'o\n');
  writeFileSync(join(folder, 'stderr'), 'made later\n');
  await eventually('stderr', () => text(chunks, 'stderr') === 'made later\n', 5000);
  ended = true;
  source.look?.();
  await reading;
  t.equal(text(chunks, 'stdout'), 'one\ntwo\n');
});

t.test('what is written to a file whose folder was made anew is seen all the same', async (t) => {
  const folder = t.testdir({ stdout: '' });
  const stop = new AbortController();
  const chunks: LogChunk[] = [];
  const reading = (async () => {
    const source = rawSource({ folder, hasEnded: () => false });
    for await (const chunk of source.read('', stop.signal)) chunks.push(chunk);
  })();
  const file = openSync(join(folder, 'stdout'), 'a');
  t.teardown(() => closeSync(file));
  writeSync(file, 'before\n');
  await eventually('the first line', () => text(chunks, 'stdout') === 'before\n', SOON_MS);
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  writeSync(file, 'after\n');
  await eventually('the second', () => text(chunks, 'stdout') === 'before\nafter\n', SOON_MS);
  writeSync(file, 'later\n');
  await eventually('the third', () => text(chunks, 'stdout').endsWith('later\n'), SOON_MS);
  stop.abort();
  await reading;
});

t.test('an end that lags behind its news is seen soon after', async (t) => {
  const folder = t.testdir({ stdout: 'all\n' });
  let asked = 0;
  let isTold = false;
  const source = rawSource({ folder, hasEnded: () => isTold && ++asked > 2 });
  const reading = (async () => {
    const chunks: LogChunk[] = [];
    for await (const chunk of source.read('', never)) {
      chunks.push(chunk);
      isTold = true;
      source.look?.();
    }
    return chunks;
  })();
  const began = performance.now();
  t.equal(text(await reading, 'stdout'), 'all\n');
  t.ok(performance.now() - began < SOON_MS, 'long before a look that nobody has asked for');
});

t.test('a reader that nobody needs any more leaves', async (t) => {
  const folder = t.testdir({ stdout: '' });
  const stop = new AbortController();
  const reading = (async () => {
    for await (const chunk of rawSource({ folder, hasEnded: () => false }).read('', stop.signal))
      t.fail(`nothing was written: ${chunk.data.length}`);
  })();
  stop.abort();
  await reading;
});
