/** The requester's store is damaged, lost or an older copy: it starts, says so, and stops nothing that runs. */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import type { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { lines, tickerJob } from '../kit/job-specs.ts';
import { oneNode, ticking } from '../kit/one-node.ts';

t.setTimeout(240_000);

const statusSchema = z.looseObject({ RequesterID: z.string(), Problems: z.array(z.string()) });
const statusOf = (cluster: Cluster) => cluster.api.get('limpet/status', statusSchema);

t.test('a store without MANIFEST is repaired, and its jobs go on', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job, id, holder } = await ticking({ cluster, agent }, 50);
  await cluster.requester.kill();
  const store = join(cluster.requesterFolder, 'store');
  for (const name of readdirSync(store)) if (name.startsWith('MANIFEST')) rmSync(join(store, name));

  await cluster.startRequester();
  t.match((await statusOf(cluster)).Problems.join('\n'), /damaged.*MANIFEST.*repaired/);
  await agent.ready();
  t.equal(await agent.claim('wasm', id), holder, 'the run did not notice');
  t.match(await cluster.ended(job), { state: 'Completed' });
  t.equal(await cluster.log(job), lines(50));
});

t.test('when it is lost its jobs are gone, and nothing that runs is stopped', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const before = (await statusOf(cluster)).RequesterID;
  const { job, id, holder } = await ticking({ cluster, agent }, 400);
  await cluster.requester.kill();
  rmSync(join(cluster.requesterFolder, 'store'), { recursive: true });

  await cluster.startRequester();
  const status = await statusOf(cluster);
  t.match(status.Problems.join('\n'), /there is no store in .*begun anew/);
  t.equal(status.RequesterID, before, 'who it is stays');
  await t.rejects(cluster.job(job), /no job matches|not.found/i);
  await agent.ready();
  const next = await cluster.submit(tickerJob(1));
  t.match(await cluster.ended(next), { state: 'Completed' }, 'it goes on with new work');
  t.equal(await agent.claim('wasm', id), holder);
  const running = (await agent.status()).executions.find((one) => one.id === id);
  t.match(running, { state: 'running' }, 'what it has forgotten runs on');
});

t.test('an older copy of it is told by its generation; what runs is taken up', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job } = await ticking({ cluster, agent }, 60);
  const store = join(cluster.requesterFolder, 'store');
  await cluster.requester.kill();
  cpSync(store, `${store}.copy`, { recursive: true });
  await cluster.startRequester();
  await agent.ready();
  const newer = await cluster.submit(tickerJob(300));
  const forgotten = await cluster.running(newer);
  await cluster.requester.kill();
  rmSync(store, { recursive: true });
  cpSync(`${store}.copy`, store, { recursive: true });

  await cluster.startRequester();
  t.match((await statusOf(cluster)).Problems.join('\n'), /older copy \(opened \d+ times/);
  await agent.ready();
  t.match(await cluster.ended(job), { state: 'Completed' });
  t.equal(await cluster.log(job), lines(60), 'one run');
  await eventually('what it has forgotten to run on', async () => {
    const one = (await agent.status()).executions.find((execution) => execution.id === forgotten);
    if (one?.state !== 'running') throw new Error(JSON.stringify(one));
    return true;
  });
});
