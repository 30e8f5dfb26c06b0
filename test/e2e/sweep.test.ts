/** What is left of executions goes on proof alone; a reset takes everything of one agent, and nothing of another. */
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
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, dockerTask, processTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import { containersOf } from './containers.ts';
import { loseRecords } from './lost-records.ts';

t.setTimeout(240_000);

const PROCESS = {
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
  sweepGraceMs: 0,
};
const STRANGER = 'e-01900000-0000-7000-8000-00000000beef';

t.test('leftovers go on proof, never on absence', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const sweep = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await cluster.ran('agent', 'sweep', ...args, '--data', agent.folder);
    return stdout + stderr;
  };
  const job = await cluster.submit(batchJob(processTask('sleep 1')));
  const ended = await cluster.running(job);
  const copy = join(cluster.folder, 'copy');
  const runs = join(agent.folder, 'runs', 'process', ended);
  cpSync(runs, copy, { recursive: true });
  t.match(await cluster.ended(job), { state: 'Completed' });
  await eventually('its folder to be removed', () => !existsSync(runs));
  const inputs = (id: string): string => join(agent.folder, 'inputs', id);
  const partial = join(agent.folder, 'results', `${ended}.partial`);
  for (const folder of [inputs(ended), inputs(STRANGER), partial]) mkdirSync(folder);

  await t.test('a stored end that its owner has acknowledged', async (t) => {
    await eventually('the report to be acknowledged', async () =>
      (await sweep('--dry-run')).includes('acknowledged by its owner'),
    );
    const dry = await sweep('--dry-run');
    t.match(dry, `would remove inputs ${inputs(ended)}`);
    t.match(dry, `would remove partial-results ${partial}`);
    t.match(dry, `kept inputs ${inputs(STRANGER)}`);
    t.match(dry, 'absence proves nothing');
    t.ok(existsSync(inputs(ended)), 'a dry run removes nothing');
    t.match(await sweep(), `removed inputs ${inputs(ended)}`);
    t.notOk(existsSync(inputs(ended)) || existsSync(partial));
    t.ok(existsSync(inputs(STRANGER)));
  });

  await t.test('its owner, when the record is lost', async (t) => {
    await agent.kill();
    await loseRecords(agent.folder, ended);
    mkdirSync(inputs(ended));
    await agent.start();
    await eventually('the owner to have answered', async () =>
      (await sweep()).includes('its owner says that it has ended'),
    );
    t.notOk(existsSync(inputs(ended)));
    t.ok(existsSync(inputs(STRANGER)), 'of this one nobody knows anything');
  });

  for (const known of [false, true])
    await t.test(`a run comes back from the dead, store known: ${known}`, async (t) => {
      await agent.kill();
      await loseRecords(agent.folder, ended).catch(() => undefined);
      cpSync(copy, runs, { recursive: true });
      writeFileSync(join(runs, '0', 'exit'), `exit 0 ${Date.now()} \n`);
      if (!known) rmSync(join(agent.folder, 'epochs.json'));
      await agent.start();
      await eventually(
        'it to be imported',
        async () => (await agent.status()).foreign.length === 1,
      );
      if (known) {
        await eventually('it to be swept', async () => {
          await sweep();
          return (await agent.status()).foreign.length === 0 && !existsSync(runs);
        });
        t.ok(existsSync(join(agent.folder, 'logs', ended)), 'its log is kept');
        return;
      }
      await eventually('the order to be refused', () =>
        agent.log.includes('foreign.stop-not-proven'),
      );
      t.match(await sweep(), /kept foreign .*neither its owner nor an operator/s);
      t.ok(existsSync(runs));
    });
});

t.test(
  'a reset of a dead agent removes what runs and what is stored, and keeps who it is',
  async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent(PROCESS);
    const { nodeId } = await agent.start();
    const config = `${agent.folder}.config.json`;
    const reset = (...more: string[]) =>
      cluster.ran('agent', 'reset', '--config', config, '--data', agent.folder, ...more);
    await cluster.running(await cluster.submit(batchJob(processTask('sleep 300'))));
    const refused = await reset();
    t.equal(refused.exit?.code, 1);
    t.match(refused.stderr, /runs; stop it first/);
    await agent.kill();
    const dry = await reset('--dry-run');
    t.match(dry.stdout, /would remove process: e-.* running/, dry.stderr);
    t.ok(processesOf(agent.folder).length > 0, 'a dry run ends nothing');
    const done = await reset();
    t.equal(done.exit?.code, 0, done.stderr);
    t.match(done.stdout, /removed process: e-.* running/);
    await eventually('no process to be left', () => processesOf(agent.folder).length === 0);
    t.same(
      readdirSync(agent.folder).filter((name) => !name.endsWith('.json')),
      [],
      'its folders are gone',
    );
    const again = await agent.start();
    t.equal(again.nodeId, nodeId);
    const { foreign, executions, quarantined, degraded } = again;
    t.same([...foreign, ...executions, ...quarantined, ...degraded], []);
  },
);

t.test(
  'two agents on one engine never touch each other',
  { skip: privateEngineSkip() },
  async (t) => {
    const { host } = await privateEngine(t);
    const cluster = await startCluster(t);
    const executors = { docker: { config: { host } }, wasm: { enabled: false } };
    const [a, b] = ['a', 'b'].map((which) =>
      cluster.addAgent({ executors, labels: { which }, sweepGraceMs: 0 }, which),
    );
    if (a === undefined || b === undefined) throw new Error('two agents');
    await Promise.all([a.start(), b.start()]);
    const [one, two] = await Promise.all(
      ['a', 'b'].map(async (which) => {
        const Constraints = [{ Key: 'which', Operator: '=', Values: [which] }];
        return cluster.running(
          await cluster.submit(batchJob(dockerTask('sleep 300'), { Constraints })),
        );
      }),
    );
    if (one === undefined || two === undefined) throw new Error('two executions');
    const [mine, other] = [await containersOf(host, one), await containersOf(host, two)];
    t.equal(mine.length + other.length, 2);

    await a.kill();
    await loseRecords(a.folder);
    await a.start();
    await eventually('its own to be claimed', async () =>
      (await a.status()).executions.some(({ id }) => id === one),
    );
    t.same(await holdings(b), [two]);
    t.same(await containersOf(host, one), mine, 'adopted, not started again');

    await a.kill();
    const config = `${a.folder}.config.json`;
    const done = await cluster.ran('agent', 'reset', '--config', config, '--data', a.folder);
    t.equal(done.exit?.code, 0, done.stderr);
    t.same(await containersOf(host, one), []);
    t.same(await containersOf(host, two), other, 'the other agent has lost nothing');
    t.same(await holdings(b), [two]);
    t.match(readFileSync(join(a.folder, 'identity.json'), 'utf8'), /"generation": 0/);
  },
);

/** All that an agent has, foreign work with it. */
async function holdings(agent: TestAgent): Promise<readonly string[]> {
  const { foreign, executions } = await agent.status();
  return [...foreign, ...executions.map(({ id }) => id)];
}
