/** What Prometheus gets of agent and requester after some work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Metrics } from '../../adapters/metrics/metrics.ts';
import { AGENT_METRICS } from '../../agent/explain/metrics.ts';
import { REQUESTER_METRICS } from '../../requester/metrics/list.ts';
import { startCluster } from '../kit/cluster.ts';
import { batchJob, wasmTask } from '../kit/job-specs.ts';
import { startProgram } from '../kit/program.ts';

t.setTimeout(120_000);

const LINE =
  /^(?:# (?:HELP|TYPE) \S+ .+|[a-z_][a-z_0-9]*(?:\{[^{}]*\})? (?:-?[\d.e+-]+|NaN|\+Inf))?$/;

/** Value of the series written so; -1 when there is none. */
function value(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? -1 : Number(line.slice(series.length + 1));
}

t.test('after a job, agent and requester tell what they did', async (t) => {
  const cluster = await startCluster(t);
  const token = readFileSync(join(cluster.requesterFolder, 'token'), 'utf8').trim();
  const ask = (path: string) =>
    fetch(`${cluster.api.url}${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(30_000),
    });
  const began = performance.now();
  const first = await cluster.submit(batchJob(wasmTask('ticker', ['1', '1'])));
  const queued = await (await ask('/api/v1/limpet/metrics')).text();

  const agent = cluster.addAgent();
  await agent.start();
  const scrapeAgent = async () =>
    (await cluster.ran('agent', 'metrics', '--data', agent.folder)).stdout;
  t.has(await cluster.ended(first), { state: 'Completed' });
  await scrapeAgent();
  const second = await cluster.submit(batchJob(wasmTask('ticker', ['1', '1'])));
  t.has(await cluster.ended(second), { state: 'Completed' });
  const ofAgent = await scrapeAgent();
  await (await ask('/api/v1/limpet/made-up-by-a-stranger')).text();
  const answer = await ask('/api/v1/limpet/metrics');
  const ofRequester = await answer.text();

  await t.test('the queue, while nothing could take the job', async (t) => {
    t.equal(value(queued, 'limpet_queue_jobs'), 1);
    t.equal(value(queued, 'limpet_jobs{state="Queued"}'), 1);
    const waitedS = value(queued, 'limpet_queue_oldest_seconds');
    t.ok(waitedS > 0 && waitedS <= (performance.now() - began) / 1000, `${waitedS} s`);
  });

  await t.test('the agent', async (t) => {
    t.equal(
      value(ofAgent, 'limpet_executions_ended_total{executor="wasm",state="completed",by="exit"}'),
      2,
    );
    t.equal(value(ofAgent, 'limpet_link_up'), 1);
    t.equal(value(ofAgent, 'limpet_link_state{state="linked"}'), 1);
    t.equal(value(ofAgent, 'limpet_executor_healthy{executor="wasm"}'), 1);
    t.equal(value(ofAgent, 'limpet_executions{state="running",executor="wasm"}'), 0);
    t.equal(value(ofAgent, 'limpet_cpu_cores{kind="capacity"}'), 16);
    t.equal(value(ofAgent, 'limpet_store_writable'), 1);
    t.ok(value(ofAgent, 'limpet_disk_free_bytes') > 0);
    t.ok(value(ofAgent, 'limpet_store_write_seconds_count') > 0, 'since the first scrape');
    const wroteS = value(ofAgent, 'limpet_store_write_seconds_sum');
    const writes = value(ofAgent, 'limpet_store_write_seconds_count');
    t.ok(wroteS > 0 && wroteS / writes < (performance.now() - began) / 1000, `${wroteS} s`);
    t.ok(value(ofAgent, 'process_resident_memory_bytes') > 1e6);
  });

  await t.test('the requester', async (t) => {
    t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    t.equal(value(ofRequester, 'limpet_placements_total'), 2);
    t.equal(value(ofRequester, 'limpet_nodes{membership="approved",connection="connected"}'), 1);
    t.equal(value(ofRequester, 'limpet_nodes_eligible'), 1);
    t.equal(value(ofRequester, 'limpet_queue_jobs'), 0);
    t.equal(value(ofRequester, 'limpet_nats_up'), 1);
    t.equal(
      value(
        ofRequester,
        'limpet_api_requests_total{method="PUT",route="/api/v1/orchestrator/jobs",status="200"}',
      ),
      2,
    );
    t.equal(
      value(ofRequester, 'limpet_api_requests_total{method="other",route="unknown",status="404"}'),
      1,
    );
  });

  await t.test('every line is well formed, listed, and without an id', async (t) => {
    const both = {
      agent: [ofAgent, AGENT_METRICS],
      requester: [ofRequester, REQUESTER_METRICS],
    } as const;
    for (const [name, [text, list]] of Object.entries(both)) {
      t.strictSame(
        text.split('\n').filter((line) => !LINE.test(line)),
        [],
        `${name}: lines`,
      );
      const shown = [...text.matchAll(/^# TYPE (limpet_\S+) /gm)].map(([, metric]) => metric);
      t.strictSame(shown.sort(), Object.keys(list).sort(), `${name}: metrics`);
      t.notMatch(text, /[0-9a-f]{8}-[0-9a-f]{4}|made-up/, `${name}: no id, nothing made up`);
    }
  });
});

t.test('a counter keeps no more than 500 series', async (t) => {
  const metrics = new Metrics({
    things_total: { type: 'counter', help: 'Things.', labels: ['kind', 'of'] },
  });
  for (let index = 0; index < 600; index += 1)
    metrics.count('things_total', { kind: String(index), of: 'x' });
  const text = await metrics.text({});
  t.equal([...text.matchAll(/^things_total\{/gm)].length, 501);
  t.equal(value(text, 'things_total{kind="other",of="other"}'), 100);
});

t.test('a start does not load the library; the first scrape does', async (t) => {
  const script = `
    const { createRequire } = await import('node:module');
    const loaded = () => Object.keys(createRequire('/').cache).some((file) => file.includes('prom-client'));
    await import('./agent/compose.ts');
    await import('./requester/compose.ts');
    console.log('after import', loaded());
    const { Metrics } = await import('./adapters/metrics/metrics.ts');
    await new Metrics({}).text({});
    console.log('after a scrape', loaded());`;
  const args = ['--import=tsx', '--input-type=module', '-e', script];
  const program = await startProgram(t, process.execPath, { args });
  await program.waitForExit(60_000);
  t.equal(program.stdout, 'after import false\nafter a scrape true\n', program.stderr);
});
