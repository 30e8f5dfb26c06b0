/** Orders that are damaged on the way to the node: none holds up the link, and what they were about is settled. */
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { batchJob, wasmTask } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { linkWorld, says } from './link-world.ts';

t.setTimeout(300_000);
const skip = natsServerSkip();
const LONG = wasmTask('ticker', ['6000', '100']);

t.test(
  'a placement that the agent cannot read is declined with the reason',
  { skip },
  async (t) => {
    const { cluster, proxy } = await linkWorld(t, true);
    proxy.rewrite = (frame) =>
      frame.replaceAll('"Network":{"Type":"none"}', '"Network":{"Type":"nine"}');
    const job = await cluster.submit(instant(cluster.folder, 'odd'));
    const message = await eventually('the requester to show it', async () => {
      const now = await cluster.job(job);
      return now.state === 'Queued' ? now.message : false;
    });
    t.match(message, /declined it: agent \S+ cannot read this placement: task\.Network\.Type: /);
    proxy.rewrite = (frame) => frame;
    t.match(await cluster.ended(job), { state: 'Completed' }, 'the node is asked again later');
    const [first, ...others] = await cluster.executions(job);
    t.match(first, { state: 'declined', reason: /cannot read this placement/, run: 0 });
    t.match(others.at(-1), { state: 'completed' });
  },
);

t.test('one whose id cannot be read is passed over, shown, and lost', { skip }, async (t) => {
  const { cluster, agent, proxy } = await linkWorld(t, true);
  proxy.rewrite = (frame) => frame.replace('"executionId":"e-', '"executionId":"x-');
  const job = await cluster.submit(instant(cluster.folder, 'unknown'));
  const line = await says(agent, /could not be followed/);
  t.match(line, /^1 order of the requester .*row 1: .*execution id 'x-.*expected e- and a UUID/);
  proxy.rewrite = (frame) => frame;
  const next = await cluster.submit(instant(cluster.folder, 'next'));
  t.match(await cluster.ended(next), { state: 'Completed' }, 'the link goes on');
  t.match(await cluster.ended(job), { state: 'Failed', message: /lost/ });
  t.match(await cluster.execution(job), { state: 'failed', run: 0, outcome: { by: 'lost' } });
});

t.test('a stop that is lost comes again with the heartbeat', { skip }, async (t) => {
  const { cluster, agent, proxy } = await linkWorld(t, true);
  const job = await cluster.submit(batchJob(LONG));
  const execution = await cluster.running(job);
  let lost = 0;
  proxy.rewrite = (frame) =>
    frame.replaceAll(/"type":"stop"/g, () => {
      lost += 1;
      return '"type":"st0p"';
    });
  await cluster.stop(job);
  t.match(await cluster.endedExecution(job), { state: 'cancelled', run: 0 });
  t.equal(lost, 1);
  const causes = (await agent.history(execution)).map(({ cause }) => cause).join('\n');
  t.match(causes, /stop: its owner does not want it here/);
});

t.test('and when that is lost too, the digests tell', { skip }, async (t) => {
  const { cluster, agent, proxy } = await linkWorld(t, true);
  const job = await cluster.submit(batchJob(LONG));
  const execution = await cluster.running(job);
  let rows = 0;
  let lists = 0;
  proxy.rewrite = (frame) =>
    frame
      .replace(/"type":"stop"/, (row) => (rows++ === 0 ? '"type":"st0p"' : row))
      .replace(/"stop":\["e-[^\]]*\]/, (list) => {
        lists += 1;
        return `"stop":[${' '.repeat(list.length - '"stop":[]'.length)}]`;
      });
  await cluster.stop(job);
  t.match(await cluster.endedExecution(job), { state: 'cancelled', run: 0 });
  t.equal(rows, 2, 'the order came again with a handshake');
  t.ok(lists >= 2, `${lists} heartbeats said nothing of it`);
  t.match(agent.log, /the requester wants other executions here than there are/);
  const causes = (await agent.history(execution)).map(({ cause }) => cause).join('\n');
  t.match(causes, /stop: the job was stopped/);
});

function instant(folder: string, name: string) {
  const Params = { File: join(folder, name), Lines: 1, Code: 0 };
  return batchJob({ Engine: { Type: 'ledger', Params } });
}
