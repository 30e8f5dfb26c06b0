import t, { type Test } from 'tap';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Output } from '../../executors/wasm/output.ts';
import { pumpLog } from '../../plugins/sdk/log-pump.ts';
import { readLog } from '../../plugins/sdk/log-reader.ts';
import { LogWriter } from '../../plugins/sdk/log-writer.ts';
import { rawSource } from '../../plugins/sdk/raw-source.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const MIB = 1024 * 1024;
const LINES = Array.from({ length: 12 * 8192 }, (_, i) => `${String(i).padStart(127)}\n`).join('');

t.test('what is safe in the log takes no room as raw output', async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'stdout'), LINES);
  writeFileSync(join(folder, 'stderr'), 'one\n');
  t.equal(blocks(folder), 12 * MIB);
  const log = await pumped(t, folder);
  t.equal(statSync(join(folder, 'stdout')).size, 12 * MIB, 'positions stay true');
  t.ok(blocks(folder) < 5 * MIB, `${blocks(folder)} bytes are left`);
  t.strictSame(await read(log), { stdout: LINES, stderr: 'one\n', gap: '' });
});

t.test('output that was freed and whose log is lost is told of, and not made up', async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'stdout'), LINES);
  await (await pumped(t, folder)).discard();
  const { stdout, gap } = await read(await pumped(t, folder));
  const [, missing] = /^(\d+) bytes of output are missing here/.exec(gap) ?? [];
  t.ok(Number(missing) > 0);
  t.equal(stdout, LINES.slice(Number(missing)));
});

t.test('a WASM run may write on when its output is safe in the log', (t) => {
  const folder = tempDir(t);
  const output = new Output(folder, 100, () => {
    throw new Error('full');
  });
  output.stdout([Buffer.alloc(70)]);
  output.stderr([Buffer.alloc(30)]);
  t.throws(() => output.stdout([Buffer.alloc(1)]), /full/);
  writeFileSync(join(folder, 'taken'), '70:10');
  output.stdout([Buffer.alloc(80)]);
  t.throws(() => output.stderr([Buffer.alloc(1)]), /full/);
  t.end();
});

function blocks(folder: string): number {
  return statSync(join(folder, 'stdout')).blocks * 512;
}

async function pumped(t: Test, folder: string): Promise<LogWriter> {
  const log = await LogWriter.open(join(folder, 'log'));
  t.teardown(() => log.close());
  const source = rawSource({ folder, hasEnded: () => true });
  const quiet = () => undefined;
  const failed = (message: string) => void t.fail(message);
  await pumpLog({ log, run: 0, isLive: false }, source, new AbortController().signal, {
    log: { debug: quiet, info: quiet, warn: failed, error: failed },
    ending: quiet,
  });
  return log;
}

async function read(log: LogWriter) {
  const seen = { stdout: '', stderr: '', gap: '', end: '' };
  const whole = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0 };
  for await (const { frames } of readLog(log, whole, new AbortController().signal))
    for (const { kind, data } of frames) seen[kind] += Buffer.from(data).toString('latin1');
  const { stdout, stderr, gap } = seen;
  return { stdout, stderr, gap };
}
