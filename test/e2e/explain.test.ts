/** What an operator learns of recovery without touching anything: plans, one execution, its history, metrics. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recoveryPlanSchema } from '../../wire/explain.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, wasmTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const TICKS = ['600', '100'];

async function plan(cluster: Cluster, agent: TestAgent) {
  const ran = await cluster.ran(
    'recover',
    '--plan',
    '--config',
    `${agent.folder}.config.json`,
    '-o',
    'json',
  );
  if (ran.exit?.code !== 0) throw new Error(ran.stderr);
  return recoveryPlanSchema.parse(JSON.parse(ran.stdout));
}

function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort())
    hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

t.test('what recovery would do is told before it does it, and nothing is changed', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const job = await cluster.submit(batchJob(wasmTask('ticker', TICKS)));
  const execution = await cluster.running(job);
  const holder = await agent.claim('wasm', execution);
  const plugin = await agent.pluginPid('wasm');
  const expected = [
    {
      executionId: execution,
      executor: 'wasm',
      desired: { what: 'run' },
      stored: { state: 'running', run: 0 },
      observed: [{ run: 0, phase: 'running', marked: true, ours: true }],
      decision: { rule: 11, action: 'adopt' },
    },
  ];

  const live = await plan(cluster, agent);
  t.match(live, { source: 'agent', executors: [{ name: 'wasm', asked: true }] });
  t.match(live.executions, expected, 'by a running agent');

  await agent.kill();
  const store = join(agent.folder, 'store');
  const before = fingerprint(store);
  const dead = await plan(cluster, agent);
  t.match(dead, { source: 'store', executors: [{ name: 'wasm', asked: true }] });
  t.match(dead.executions, expected, 'by the store and the plugin that a dead agent left');
  t.equal(fingerprint(store), before, 'whose store is as it was');

  process.kill(plugin, 'SIGKILL');
  const blind = await eventually('the plugin to be gone', async () => {
    const found = await plan(cluster, agent);
    return found.executors.some(({ asked }) => asked) ? undefined : found;
  });
  t.match(blind.executors, [{ name: 'wasm', asked: false, reason: /start it anew/ }]);
  t.match(blind.executions, [{ executionId: execution, decision: { rule: 2, action: 'wait' } }]);
  const shown = await cluster.ran('recover', '--plan', '--config', `${agent.folder}.config.json`);
  t.match(shown.stdout, /^No agent runs: .*\nExecutor wasm was not asked: /);

  await agent.start();
  t.equal(await agent.claim('wasm', execution), holder, 'the run went on all the while');
  await cluster.stop(job);
});

t.test('an execution is shown as its owner, its node and its executor have it', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const job = await cluster.submit(batchJob(wasmTask('ticker', TICKS)));
  const execution = await cluster.running(job);
  const describe = () => cluster.ran('execution', 'describe', execution);
  const running = await describe();
  t.match(running.stdout, /^ +OWNER +STORED +OBSERVED$/m);
  t.match(running.stdout, /^state +running +running +running$/m);
  t.match(running.stdout, /^Recovery +rule 11, adopt: /m);

  await agent.kill();
  const away = await describe();
  t.match(away.stdout, /^Node says +not reachable: /m);
  t.match(away.stdout, /^state +running$/m, 'what its owner knows stays');

  await agent.start();
  const history = await eventually('the adoption in the history', async () => {
    const { stdout } = await cluster.ran('execution', 'history', execution.slice(-8));
    return /adopted, not restarted/.test(stdout) ? stdout : undefined;
  });
  const changes = history.trimEnd().split('\n').slice(1);
  t.match(changes[0], /^0 .* accepted +accepted from its owner$/);
  t.match(changes.at(-1), / running +it runs: adopted, not restarted$/);
  const metrics = await cluster.ran('agent', 'metrics', '--data', agent.folder);
  t.match(metrics.stdout, /^limpet_recovery_decisions_total\{rule="11",action="adopt"\} 1$/m);
  t.match(metrics.stdout, /^limpet_executor_reattached\{executor="wasm"\} 1$/m);

  const unknown = await cluster.ran('execution', 'describe', 'e-nothing');
  t.equal(unknown.exit?.code, 1);
  t.match(unknown.stderr, /^error: execution not found: e-nothing\n$/);
  await cluster.stop(job);
  await cluster.ended(job);
  const over = await describe();
  t.match(over.stdout, /^outcome +stop \(.*\), code 137 +stop/m);
});
