/** The agent's store is damaged, lost or an older copy: it starts, says so, and nothing is run twice or forgotten. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { lines, tickerJob } from '../kit/job-specs.ts';
import { oneNode, ticking } from '../kit/one-node.ts';

t.setTimeout(240_000);

t.test('a store without MANIFEST is repaired at the start, and the work goes on', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const { job, id, holder } = await ticking({ cluster, agent }, 60);
  await agent.kill();
  const store = join(agent.folder, 'store');
  for (const name of readdirSync(store)) if (name.startsWith('MANIFEST')) rmSync(join(store, name));

  const status = await agent.start();
  const said = status.degraded.find((line) => line.includes('the store was damaged')) ?? '';
  t.match(said, /MANIFEST.*No such file.*repaired; delete \S+store\.damaged-\S+ when/);
  t.match(status.executions, [{ id, state: 'running', run: 0 }]);
  t.equal(await agent.claim('wasm', id), holder, 'the same run');
  t.match(await cluster.ended(job), { state: 'Completed' });
  t.equal(await cluster.log(job), lines(60));

  rmSync(/delete (\S+) when/.exec(said)?.[1] ?? '', { recursive: true });
  await agent.kill();
  const later = await agent.start();
  t.notMatch(later.degraded.join('\n'), /damaged/, 'the folder is deleted, so it is read');
});

t.test('a lost store is begun anew; what it knew is found again or told as lost', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  const { nodeId } = await agent.start();
  const { job, id, holder } = await ticking({ cluster, agent }, 40);
  await agent.kill();
  rmSync(join(agent.folder, 'store'), { recursive: true });

  const status = await agent.start();
  t.equal(status.nodeId, nodeId, 'the instance stays');
  t.match(status.degraded.join('\n'), /there is no store in .*though there was one; begun anew/);
  t.equal(await agent.claim('wasm', id), holder);
  const { state } = await cluster.ended(job);
  const execution = await cluster.execution(job);
  t.ok(
    state === 'Completed' || execution.outcome?.by === 'lost',
    `found again, or told as lost: ${JSON.stringify(execution)}`,
  );
  const next = await cluster.submit(tickerJob(1));
  t.match(await cluster.ended(next), { state: 'Completed' }, 'it takes work');
});

t.test('an older copy of the store runs nothing again that its owner saw', async (t) => {
  const { cluster, agent } = await oneNode(t);
  const store = join(agent.folder, 'store');
  const job = await cluster.submit(tickerJob(15));
  const id = await cluster.running(job);
  await agent.kill();
  cpSync(store, `${store}.copy`, { recursive: true });
  await agent.start();
  await cluster.ended(job);
  await eventually('nothing to be left of it', async () => {
    const { executions } = await agent.status();
    if (executions.length > 0) throw new Error(JSON.stringify(executions));
    return true;
  });
  await agent.kill();
  rmSync(store, { recursive: true });
  cpSync(`${store}.copy`, store, { recursive: true });

  await agent.start();
  t.match(agent.log, /older copy \(opened 1 times, where 2 were expected\)/);
  await eventually('it to be over here too', async () => {
    const { executions } = await agent.status();
    if (executions.length > 0) throw new Error(JSON.stringify(executions));
    return true;
  });
  const causes = (await agent.history(id)).map(({ cause }) => cause);
  // The owner's word, or what the node itself finds, and then the owner's word.
  const ends = /^(its owner knows more than this store: completed|run 0 ended: lost)/;
  t.ok(
    causes.some((cause) => ends.test(cause)),
    causes.join('\n'),
  );
  t.match(await cluster.job(job), { state: 'Completed' }, 'for its owner nothing has changed');
  t.equal(await cluster.log(job), lines(15), 'it was not run again');
});

t.test(
  'restored from before it was started, with its traces gone, it waits for its owner',
  async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent();
    // Held up before the start, so that the copy has it as starting and never launched.
    await agent.start({ LIMPET_CRASH_AT: 'agent.effect.start.before' });
    const store = join(agent.folder, 'store');
    const job = await cluster.submit(tickerJob(10));
    await eventually('the agent to crash', () => agent.program.exit);
    cpSync(store, `${store}.copy`, { recursive: true });
    await agent.start();
    const id = await cluster.running(job);
    await agent.claim('wasm', id);
    await cluster.ended(job);
    await agent.kill();
    await cluster.requester.kill();
    rmSync(store, { recursive: true });
    rmSync(join(agent.folder, 'runs'), { recursive: true });
    cpSync(`${store}.copy`, store, { recursive: true });

    await agent.launch();
    const waiting = await eventually('it to wait', async () => {
      const { degraded } = await agent.status();
      return degraded.find((line) => line.includes('not started before the owner has told'));
    });
    t.ok(waiting.includes(id), waiting);
    t.match((await agent.status()).executions, [{ id, state: 'starting' }]);
    await cluster.startRequester();
    await agent.ready();
    await eventually('it to be over here too', async () => {
      const { executions } = await agent.status();
      if (executions.length > 0) throw new Error(JSON.stringify(executions));
      return true;
    });
    t.match(await cluster.job(job), { state: 'Completed' });
    t.notOk(
      (await agent.history(id)).some(({ to }) => to === 'running'),
      'never started again',
    );
  },
);

t.test('a file of the identity that cannot be read is one line', async (t) => {
  const { agent } = await oneNode(t);
  await agent.kill();
  const file = join(agent.folder, 'identity.json');
  const sound = readFileSync(file);
  writeFileSync(file, '{');
  const program = await agent.launch();
  t.match(await program.waitForExit(20_000), { code: 1 });
  t.match(program.stderr.trim(), /^limpet agent: cannot read .*identity\.json: .*put back a copy/);
  writeFileSync(file, sound);
  t.ok(await agent.start());
});

t.test('a placement that comes again to where its log is already is not run again', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start({ LIMPET_CRASH_AT: 'agent.placement.after-commit' });
  const job = await cluster.submit(tickerJob(3));
  await eventually('the agent to crash', () => agent.program.exit);
  const { id } = await cluster.execution(job);
  rmSync(join(agent.folder, 'store'), { recursive: true });
  mkdirSync(join(agent.folder, 'logs', id));

  await agent.start();
  t.match(await cluster.ended(job), { state: 'Failed' });
  t.match((await cluster.execution(job)).outcome, { by: 'lost' });
  t.notOk(existsSync(join(agent.folder, 'runs', 'wasm', id, '0', 'claim')), 'it was not begun');
});
