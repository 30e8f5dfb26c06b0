/** The requester's store is an old copy: nothing running is stopped, nothing that it once heard of is lost. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, wasmTask } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { linkedBy } from './link-world.ts';

t.setTimeout(300_000);
const TICKS = 150;

t.test('a requester that is set back some jobs', { skip: natsServerSkip() }, async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(linkedBy(cluster.broker.url));
  await agent.start();
  const ticking = (count: number) =>
    cluster.submit(batchJob(wasmTask('ticker', [String(count), '100'])));
  const instant = (name: string) => {
    const Params = { File: join(cluster.folder, name), Lines: 1, Code: 0 };
    return cluster.submit(batchJob({ Engine: { Type: 'ledger', Params } }));
  };
  const long = await ticking(TICKS);
  const short = await ticking(25);
  const execution = await cluster.running(long);
  const shortExecution = await cluster.running(short);
  const holder = await agent.claim('wasm', execution);

  await cluster.requester.kill();
  const copy = join(cluster.folder, 'copy');
  cpSync(join(cluster.requesterFolder, 'store'), copy, { recursive: true });
  await cluster.startRequester();
  t.match(await cluster.ended(await instant('forgotten-1')), { state: 'Completed' });
  t.match(await cluster.ended(await instant('forgotten-2')), { state: 'Completed' });
  t.match(await cluster.ended(short), { state: 'Completed' });

  await cluster.requester.kill();
  rmSync(join(cluster.requesterFolder, 'store'), { recursive: true });
  cpSync(copy, join(cluster.requesterFolder, 'store'), { recursive: true });
  await cluster.startRequester();
  const fresh = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => instant(name)));
  for (const job of fresh)
    t.match(await cluster.ended(job), { state: 'Completed' }, 'it is not taken for an older one');

  t.match(await cluster.ended(short), { state: 'Completed' }, 'its end is told again');
  t.match(await cluster.execution(short), { id: shortExecution, outcome: { by: 'exit', code: 0 } });
  t.equal(await agent.claim('wasm', execution), holder, 'nothing is stopped');
  t.match(await cluster.ended(long, 60_000), { state: 'Completed' });
  t.equal(await cluster.log(long), lines(TICKS));
  for (const job of [short, long]) {
    const { events } = await cluster.execution(job);
    t.same(
      events.map(({ revision }) => revision),
      events.map((_, i) => i + 1),
      'the whole history',
    );
    const ends = (await cluster.told(job)).filter((line) => line.startsWith('Execution: '));
    t.same(ends, ['Execution: Completed successfully']);
  }
  await eventually('the node to be empty', async () => {
    const { executions } = await agent.status();
    return executions.length === 0;
  });
});
