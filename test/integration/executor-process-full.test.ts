/** The disk is full while a run prints: it goes on, and so does its log, which tells where something may be missing. */
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin } from '../kit/plugin-driver.ts';
import { programDir } from '../kit/program-dir.ts';
import { fillDisk, mountSmallDisk, smallDiskSkip } from '../kit/small-disk.ts';
import { sh } from './executor-process/plugin.ts';

t.setTimeout(120_000);

const GAP =
  /the disk of this node was full from \S+Z to \S+Z: output of that time may be missing here/;
const run = { executionId: 'e-1' };

t.test('a full disk costs what is printed meanwhile', { skip: smallDiskSkip(t) }, async (t) => {
  const elsewhere = programDir(t);
  const folder = join(elsewhere, 'disk');
  mountSmallDisk(t, folder);
  const plugin = await drivePlugin(t, { program: 'dist/executor-process.js', folder });

  const [more, done] = [join(elsewhere, 'more'), join(elsewhere, 'done')];
  const wait = (file: string) => `while [ ! -e ${file} ]; do sleep 0.05; done`;
  const flood = `yes 0123456789abcde | head -c 200000; echo first; ${wait(more)}`;
  const work = `${flood}; yes in vain | head -c 20000; echo told >${more}.told; ${wait(done)}; echo last; exit 3`;
  await plugin.start({ ...run, params: sh(work) });
  await eventually('the flood', async () => (await plugin.logs(run)).text.endsWith('first\n'));
  const before = (await plugin.logs(run)).text;

  const raw = join(plugin.runFolder(run), 'stdout');
  const ballast = fillDisk(folder);
  const full = Date.now();
  writeFileSync(more, '');
  await eventually('the run to go on', () => existsSync(`${more}.told`));
  const printed = statSync(raw).size;
  t.ok(printed < before.length + 20_000, 'there was no room for all of it');
  await eventually('a look of the plugin at its disk', () => Date.now() > full + 3000);
  for (const file of ballast) rmSync(file);
  writeFileSync(done, '');
  t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 3 } });
  const { text, end } = await plugin.logs(run);
  t.equal(end, true);
  t.ok(text.startsWith(before), 'what was printed before is there');
  const [gap = ''] = GAP.exec(text) ?? [];
  const at = text.indexOf(gap);
  t.not(gap, '');
  t.ok(at >= before.length && at <= printed, 'behind what had room');
  t.match(text.slice(at + gap.length), /^last\n$/);
});
