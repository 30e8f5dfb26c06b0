/** A disk that is full, or read-only: no new work, what runs goes on, and it heals by itself. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { lines, tickerJob } from '../kit/job-specs.ts';
import { ticking } from '../kit/one-node.ts';
import { mountSmallDisk, smallDiskSkip } from '../kit/small-disk.ts';

t.setTimeout(240_000);

const skip = smallDiskSkip(t);

t.test('a full disk takes no new work; what runs goes on; it heals', { skip }, async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({ minFreeBytes: 1024 * 1024 });
  mountSmallDisk(t, join(agent.folder, 'store'));
  await agent.start();
  const { job, id, holder } = await ticking({ cluster, agent }, 50);
  const ballast = join(agent.folder, 'store', 'ballast');
  spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { timeout: 20_000 });

  const said = await eventually('the agent to say so', async () => {
    const { degraded } = await agent.status();
    return degraded.find((line) => line.endsWith('no new work is taken'));
  });
  t.match(said, /no space left on device|MiB left/i);
  const waiting = await cluster.submit(tickerJob(1));
  await eventually('its owner to hear why', async () => {
    const { message } = await cluster.job(waiting);
    if (!/no space left|MiB left/i.test(message)) throw new Error(`'${message}'`);
    return true;
  });
  t.equal(await agent.claim('wasm', id), holder);
  t.match((await agent.status()).executions, [{ id, state: 'running' }]);

  rmSync(ballast);
  t.match(await cluster.ended(job), { state: 'Completed' }, 'what ran is reported');
  t.equal(await cluster.log(job), lines(50), 'and nothing of it is missing');
  t.match(await cluster.ended(waiting), { state: 'Completed' }, 'what waited is taken');
  t.notMatch((await agent.status()).degraded.join('\n'), /no new work/);
  await agent.end();
});

t.test('a data folder that cannot be written is one line', { skip }, async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({ minFreeBytes: 1024 * 1024 });
  mountSmallDisk(t, agent.folder);
  await agent.start();
  await agent.stopAll();
  spawnSync('mount', ['-o', 'remount,ro', agent.folder]);
  const program = await agent.launch();
  t.match(await program.waitForExit(20_000), { code: 1 });
  const [line = '', ...more] = program.stderr.trim().split('\n');
  t.same(more, []);
  t.match(line, /^limpet agent: cannot write to the data folder .*read-only.*make it writable/);
  spawnSync('mount', ['-o', 'remount,rw', agent.folder]);
  t.ok(await agent.start(), 'and then it starts');
  await agent.end();
});
