/** A WASM run without a record whose run folder is gone too: what its runner's socket says suffices to claim and stop it. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { tickerJob } from '../kit/job-specs.ts';
import { replaceRequester, stoppedByOperator, untilOneIsForeign } from './foreign-word.ts';
import { loseRecords } from './lost-records.ts';

t.setTimeout(120_000);

const processes = procProcesses();

/** One run; then its agent, its record and its folder are gone. */
async function stray(t: Test) {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const job = await cluster.submit(tickerJob(600));
  const id = await cluster.running(job);
  const [pid = '', startTime = '', bootId = ''] = (await agent.claim('wasm', id)).split(' ');
  const holder = { pid: Number(pid), startTime, bootId };
  await agent.kill();
  await loseRecords(agent.folder);
  const folder = join(agent.folder, 'runs', 'wasm', id);
  rmSync(folder, { recursive: true });
  const isAlive = (): boolean => processes.look(holder) === 'alive';
  return { cluster, agent, job, id, folder, isAlive };
}

t.test('its owner claims it and stops it', async (t) => {
  const { cluster, agent, job, id, folder, isAlive } = await stray(t);
  await agent.start();
  await eventually('its owner to claim it', async () =>
    (await agent.status()).executions.some((one) => one.id === id && one.state === 'running'),
  );
  t.ok(isAlive(), 'the same runner');
  await cluster.stop(job);
  t.match(await cluster.endedExecution(job), { state: 'cancelled', outcome: { by: 'stop' } });
  await eventually('its runner to end', () => !isAlive());
  await eventually('its folder to be gone', () => !existsSync(folder));
});

t.test('an operator stops it, whoever owns it', async (t) => {
  const { cluster, agent, id, isAlive } = await stray(t);
  await replaceRequester(cluster);
  await agent.start();
  await untilOneIsForeign(agent);
  t.ok(isAlive(), 'kept until a word comes');
  await stoppedByOperator(t, { cluster, agent }, id);
  await eventually('its runner to end', () => !isAlive());
});
