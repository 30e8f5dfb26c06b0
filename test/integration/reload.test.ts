/** A config that is read again while its program runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { diffSettings } from '../../core/settings-diff.ts';
import { nodePage } from '../../cli/api/models.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, tickerJob, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const fileSchema = z.record(z.string(), z.unknown());

function change(file: string, over: JsonObject): void {
  const before = fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  writeFileSync(file, JSON.stringify({ ...before, ...over }));
}

t.test('the agent takes what can change at once, and names the rest', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  const { pid } = await agent.start();
  const plugin = await agent.pluginPid('wasm');
  const ticker = await cluster.submit(tickerJob(600));
  const running = await cluster.running(ticker);
  const file = `${agent.folder}.config.json`;
  const reload = () => cluster.ran('agent', 'reload', '--data', agent.folder);
  const labelled = {
    ...batchJob(wasmTask('hello', [], { Resources: { CPU: '20' } })),
    Constraints: [{ Key: 'zone', Operator: '=', Values: ['b'] }],
  };
  const job = await cluster.submit(labelled);
  await eventually('it to wait', async () => (await cluster.job(job)).state === 'Queued');

  change(file, {
    labels: { zone: 'b' },
    capacity: { CPU: '32', Memory: '16Gi' },
    log: { level: 'warn' },
    outboxBytes: 1_000_000,
  });
  const taken = await reload();
  t.equal(taken.exit?.code, 0, taken.stderr);
  t.equal(
    taken.stdout,
    'changed: capacity.CPU, labels.zone, log.level; at the next start: outboxBytes\n',
  );
  t.equal((await cluster.ended(job)).state, 'Completed', 'the requester knows labels and capacity');
  const { Nodes } = await cluster.api.get('orchestrator/nodes', nodePage);
  t.ok(Nodes.some(({ Info }) => Info.Labels?.['zone'] === 'b'));
  t.match((await agent.status()).executions, [{ id: running, state: 'running', run: 0 }]);
  t.equal((await agent.status()).pid, pid);
  t.equal(await agent.pluginPid('wasm'), plugin);
  const status = await cluster.ran('agent', 'status', '--data', agent.folder);
  t.match(status.stdout, /\nConfig +read again \d+s ago: changed: capacity\.CPU, /);

  t.comment('a wrong one changes nothing, says so, and is told until a good one comes');
  const good = readFileSync(file, 'utf8');
  change(file, { labels: { zone: 'c' }, stopGraceMs: -1 });
  const refused = await reload();
  t.equal(refused.exit?.code, 1);
  t.match(refused.stderr, /nothing has changed: config .*stopGraceMs is -1/);
  t.match((await agent.status()).degraded, [/nothing has changed: config .*stopGraceMs is -1/]);
  writeFileSync(file, good);
  agent.program.signal('SIGHUP');
  await agent.hasNo('degraded');
  t.equal((await agent.status()).pid, pid, 'SIGHUP does not end it');
  t.equal((await agent.status()).link.state, 'linked');
});

t.test('the requester does the same', async (t) => {
  const cluster = await startCluster(t, { requester: { log: { level: 'info' } } });
  const file = join(cluster.folder, 'requester.config.json');
  const nodes = { heartbeatIntervalMs: 300, unknownAfterMs: 900, unhealthyAfterMs: 30_000 };
  const agent = cluster.addAgent({ executors: { docker: { enabled: false } } });
  await agent.start();
  const { program } = cluster.requester;
  change(file, { nodes, results: { urlTtlMs: 5_000 } });
  program.signal('SIGHUP');
  await program.waitFor(
    /"changed":\["nodes\.heartbeatIntervalMs","nodes\.unhealthyAfterMs","nodes\.unknownAfterMs"\],"later":\["results\.urlTtlMs"\]/,
  );
  await agent.kill();
  await eventually('silence to be noticed by the new threshold', async () => {
    const { Nodes } = await cluster.api.get('orchestrator/nodes', nodePage);
    return Nodes.some(({ ConnectionState }) => /^unknown/.test(ConnectionState?.LastError ?? ''));
  });
  change(file, { log: { level: 'loud' } });
  program.signal('SIGHUP');
  await program.waitFor(/"event":"config\.refused"|config\.refused/);
  t.equal(program.exit, undefined, 'it runs on');
});

t.test('what has changed is told field by field, lists as a whole', (t) => {
  const before = { a: { x: 1, y: [1, 2] }, b: 'b', c: { d: { e: 1 } } };
  const after = { a: { x: 2, y: [1, 3] }, b: 'c', c: { d: { e: 2 } } };
  t.strictSame(diffSettings(before, after, ['a', 'c.d']), {
    next: { a: { x: 2, y: [1, 3] }, b: 'b', c: { d: { e: 2 } } },
    changed: ['a.x', 'a.y', 'c.d.e'],
    later: ['b'],
  });
  t.strictSame(diffSettings(before, before, ['a']), { next: before, changed: [], later: [] });
  t.end();
});
