/** A log has exactly the bytes that were printed, whatever they are; a flood that nobody reads is bounded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { programDir } from '../kit/program-dir.ts';
import { eventually } from '../kit/eventually.ts';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { isAlive, pids, processPlugin, sh } from './executor-process/plugin.ts';

t.setTimeout(60_000);

const MIB = 1024 * 1024;

t.test('binary output, a line of a MiB, no newline at the end, and nothing at all', async (t) => {
  const plugin = await processPlugin(t);
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const binary = Buffer.concat(Array.from({ length: 1000 }, () => all));
  const long = Buffer.alloc(MIB, 'x');
  const printed = {
    binary,
    nul: Buffer.alloc(100_000),
    'long line': Buffer.concat([long, Buffer.from('\n'), long, Buffer.from('\nshort\nopen')]),
    nothing: Buffer.alloc(0),
  };
  const file = join(programDir(t), 'printed');
  for (const [number, [what, bytes]] of Object.entries(printed).entries()) {
    writeFileSync(file, bytes);
    const run = { executionId: `e-${number}`, params: sh(`cat ${file}`) };
    await plugin.start(run);
    await plugin.wait(run);
    const { stdout, stderr, end, next } = await plugin.logs(run);
    t.ok(Buffer.from(stdout, 'latin1').equals(bytes), what);
    t.strictSame([stderr, end, next], ['', true, bytes.length]);
    const open = await plugin.logs(run, { tail: 1 });
    if (what === 'long line') t.equal(open.stdout, 'open', 'the last line has no newline');
  }
});

t.test('a flood ends a run only when nobody takes its output', async (t) => {
  const plugin = await processPlugin(t, { maxOutputBytes: 16 * MIB });
  const go = join(programDir(t), 'go');
  const flood = `yes 0123456789abcde | head -c ${20 * MIB}`;
  const wait = `while [ ! -e ${go} ]; do sleep 0.1; done`;
  const read = { executionId: 'e-read', params: sh(`${flood}; ${wait}; echo end`) };
  const unread = { executionId: 'e-unread', params: sh(`${wait}; ${flood}; sleep 300`) };
  await plugin.start(read);
  await eventually('all of the flood', async () => {
    return (await plugin.logs(read, { tail: 1 })).next === 20 * MIB;
  });
  await plugin.start(unread);
  const { holder } = await pids(plugin, unread);
  await plugin.kill9();
  writeFileSync(go, '');
  await eventually('the end of the run', () => !isAlive(holder));
  await plugin.respawn();
  t.match(await plugin.recover(unread), {
    phase: Phase.EXITED,
    outcome: { by: 'limit', code: 137, reason: 'output' },
  });
  const log = await plugin.logs(unread, { follow: true });
  t.equal(log.stdout.length, 20 * MIB, 'what it printed is there');
  t.match(await plugin.recover(read), { phase: Phase.EXITED, outcome: { by: 'exit', code: 0 } });
  t.ok((await plugin.logs(read, { tail: 1 })).stdout === 'end\n');
});
