/** A log has exactly the bytes that were printed, whatever they are. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { programDir } from '../kit/program-dir.ts';
import { processPlugin, sh } from './executor-process/plugin.ts';

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
