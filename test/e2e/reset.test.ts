/** `limpet agent reset --stop`: what runs is ended in good order and told, then every trace goes, and nothing of others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { callEngine } from '../../scripts/engine.mjs';
import { startCluster } from '../kit/cluster.ts';
import { testEngine } from '../kit/engine.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, dockerTask, processTask, wasmTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';
import { cleanEngineAtEnd, containersOf } from './containers.ts';

t.setTimeout(240_000);

const engine = await testEngine(t);
/** Answers TERM with a code of its own, so that a KILL would show. */
const OBEDIENT = "trap 'exit 42' TERM; while :; do sleep 0.1; done";
const volumes = z.looseObject({ Volumes: z.array(z.looseObject({ Name: z.string() })).nullable() });
const identity = z.looseObject({ instanceId: z.string() });

const volumeNames = async (host: string): Promise<string[]> => {
  const { body } = await callEngine(host, { path: '/volumes' });
  return (volumes.parse(JSON.parse(body)).Volumes ?? []).map(({ Name }) => Name);
};

t.test('a reset of a living agent', { skip: engine.skip }, async (t) => {
  const { host } = engine;
  const cluster = await startCluster(t);
  const docker = { config: { host } };
  const wasm = { config: { warm: 1, idleMs: 5_000 } };
  const common = { stopGraceMs: 20_000, labels: { which: 'a' } };
  const executors = { docker, wasm, process: { enabled: true } };
  const agent = cluster.addAgent({ ...common, executors });
  const other = cluster.addAgent({ executors: { docker, wasm: { enabled: false } } }, 'b');
  const { nodeId } = await agent.start();
  const Constraints = [{ Key: 'which', Operator: '=', Values: ['a'] }];
  const jobs = await Promise.all(
    [dockerTask(OBEDIENT), processTask(OBEDIENT), wasmTask('ticker', ['600', '100'])].map((task) =>
      cluster.submit(batchJob(task, { Constraints })),
    ),
  );
  const ids = await Promise.all(jobs.map((job) => cluster.running(job)));
  await other.start();
  for (const { folder } of [agent, other]) cleanEngineAtEnd(t, host, folder);
  const volumeOf = (folder: string): string =>
    `limpet-${identity.parse(JSON.parse(readFileSync(join(folder, 'identity.json'), 'utf8'))).instanceId}`;
  const volume = volumeOf(agent.folder);
  const reset = (...more: string[]) =>
    cluster.ran('agent', 'reset', '--config', `${agent.folder}.config.json`, ...more);
  const inFolder = ['--data', agent.folder];

  const refused = await reset(...inFolder);
  t.match(refused.stderr, /runs; stop it first, or add --stop/);
  t.match(await agent.status(), { nodeId }, 'and it has not been touched');
  const done = await reset(...inFolder, '--stop', '--identity');
  t.equal(done.exit?.code, 0, done.stderr);
  t.match(done.stdout, `removed docker: volume ${volume}`);
  t.same(processesOf(agent.folder), []);
  for (const id of ids) t.same(await containersOf(host, id), []);
  const left = await volumeNames(host);
  t.notOk(left.includes(volume));
  t.ok(left.includes(volumeOf(other.folder)), "the other agent's is left alone");

  const codes = [42, 42, undefined];
  for (const [i, job] of jobs.entries()) {
    const [first] = await eventually('its end to be told', async () => {
      const all = await cluster.executions(job);
      return all.find(({ id }) => id === ids[i])?.state === 'cancelled' ? all : undefined;
    });
    t.match(first, { state: 'cancelled', outcome: { by: 'stop' } });
    if (codes[i] !== undefined) t.match(first, { outcome: { code: codes[i] } });
  }
  for (const job of jobs) await cluster.stop(job);
  t.not((await agent.start()).nodeId, nodeId, 'another node');
});

t.test('a dry run names the volume, and leaves it', { skip: engine.skip }, async (t) => {
  const { host } = engine;
  const cluster = await startCluster(t);
  const executors = { docker: { config: { host } }, wasm: { enabled: false } };
  const agent = cluster.addAgent({ executors });
  await agent.start();
  cleanEngineAtEnd(t, host, agent.folder);
  await agent.stopAll();
  const dry = await cluster.ran(
    ...['agent', 'reset', '--dry-run', '--config', `${agent.folder}.config.json`],
  );
  const [, volume = ''] = /would remove docker: volume (limpet-\S+)/.exec(dry.stdout) ?? [];
  t.ok((await volumeNames(host)).includes(volume), dry.stdout + dry.stderr);
});
