/** A container without a record whose run folder is gone too: its labels suffice to claim, supervise and stop it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { testEngine } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, dockerTask } from '../kit/job-specs.ts';
import { cleanEngineAtEnd, containersOf } from './containers.ts';
import { replaceRequester, stoppedByOperator, untilOneIsForeign } from './foreign-word.ts';
import { loseRecords } from './lost-records.ts';

t.setTimeout(240_000);

const engine = await testEngine(t);
/** Answers TERM with a code of its own, so that a KILL would show. */
const OBEDIENT = "trap 'echo asked; exit 42' TERM; echo begun; while :; do sleep 0.1; done";

t.test('a run folder is gone', { skip: engine.skip }, async (t) => {
  const { host } = engine;
  const cluster = await startCluster(t);
  const executors = { docker: { config: { host } }, wasm: { enabled: false } };
  const agent = cluster.addAgent({ executors, stopGraceMs: 20_000 });
  await agent.start();
  cleanEngineAtEnd(t, host, agent.folder);
  const begin = async () => {
    const job = await cluster.submit(batchJob(dockerTask(OBEDIENT)));
    return { job, id: await cluster.running(job) };
  };
  const forget = (id: string) =>
    rmSync(join(agent.folder, 'runs', 'docker', id), { recursive: true });

  await t.test('under a live agent: a stop is carried out, TERM first', async (t) => {
    const { job, id } = await begin();
    forget(id);
    await cluster.stop(job);
    t.match(await cluster.endedExecution(job), { state: 'cancelled', outcome: { code: 42 } });
    t.equal(await cluster.log(job), 'begun\nasked\n');
    await eventually('its end', async () => (await containersOf(host, id)).length === 0);
  });

  await t.test('and its record: its owner claims it by its labels, and stops it', async (t) => {
    const { job, id } = await begin();
    const before = await containersOf(host, id);
    await agent.kill();
    await loseRecords(agent.folder);
    forget(id);
    await agent.start();
    await eventually('its owner to claim it', async () =>
      (await agent.status()).executions.some((one) => one.id === id),
    );
    t.same(await containersOf(host, id), before, 'the same container');
    await cluster.stop(job);
    t.match(await cluster.endedExecution(job), { state: 'cancelled', outcome: { code: 42 } });
    t.match(await cluster.log(job), /begun\nasked\n$/);
  });

  await t.test('and its owner: an operator sees whose it is, and stops it', async (t) => {
    const { id } = await begin();
    await agent.kill();
    await loseRecords(agent.folder);
    forget(id);
    await replaceRequester(cluster);
    await agent.start();
    await untilOneIsForeign(agent);
    const listed = await cluster.ran('agent', 'foreign', '--data', agent.folder);
    t.match(listed.stdout, /docker .*running/, listed.stderr);
    t.notMatch(listed.stdout, 'not known', 'its owner is on its labels');
    await stoppedByOperator(t, { cluster, agent }, id);
    const events = await agent.history(id);
    t.ok(events.some(({ to }) => to === 'cancelled'));
    t.notMatch(JSON.stringify(events), 'restarted-outside');
    t.ok(
      events.some(({ cause }) => cause.includes('code 42')),
      JSON.stringify(events),
    );
    await eventually('nothing to be left', async () => (await containersOf(host, id)).length === 0);
  });
});
