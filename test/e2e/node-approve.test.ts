/** An operator decides on nodes, at a requester without an authority: `limpet node approve`, `reject`, `delete`. */
import t from 'tap';
import { z } from 'zod';
import { nodePage } from '../../cli/api/models.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, wasmTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';

t.setTimeout(240_000);

// A pending node comes by itself after a heartbeat's time: a minute that no test waits for.
const nodes = { approval: 'manual', heartbeatIntervalMs: 60_000, unknownAfterMs: 120_000 };
const cluster = await startCluster(t, { requester: { nodes } });
const agent = cluster.addAgent();
await agent.launch();
const { nodeId } = await eventually('the agent to answer', () => agent.status(), 40_000);

t.test('a node that nobody has approved gets no work, and is told why', async (t) => {
  await link(agent, 'pending');
  const job = await cluster.submit(batchJob(wasmTask('hello', [])));
  await soon('its reason', async () => /is pending/.test((await cluster.job(job)).message));
  t.match((await agent.status()).link.detail, /waits for an operator/);
  const listed = await cluster.ran('node', 'list');
  t.match(listed.stdout, /pending/);
  const approved = await cluster.ran('node', 'approve', '--all-pending', '-m', 'rack 4');
  t.equal(approved.stdout, `node ${nodeId} is approved\n`);
  t.equal((await cluster.ended(job, 60_000)).state, 'Completed', 'it runs at once');
  const shown = await cluster.ran('node', 'describe', nodeId);
  t.match(shown.stdout, /^Approval +approved: rack 4 \(by admin, 20\d\d-\S+ \S+ UTC\)$/m);
});

t.test('what was decided is not decided twice, and what is not said is asked for', async (t) => {
  const again = await cluster.ran('node', 'approve', nodeId);
  t.equal(again.exit?.code, 1);
  t.match(
    again.stderr,
    new RegExp(`^error: ${nodeId} is approved already, since 20.* by admin\n$`),
  );
  const gone = await cluster.ran('node', 'delete', nodeId);
  t.match(gone.stderr, /is connected; stop its agent, or reject it, before it is deleted\n$/);
  const nobody = await cluster.ran('node', 'approve');
  t.equal(nobody.exit?.code, 2);
  t.match(nobody.stderr, /^error: name the nodes, or say --all-pending/);
  const token = await cluster.ran('node', 'token', 'create');
  t.match(token.stderr, /^error: this requester has no authority, .* `limpet requester init`/);
});

t.test('a rejected node stops what it runs, and may come again when it is approved', async (t) => {
  const job = await cluster.submit(batchJob(wasmTask('spin', [])));
  const execution = await cluster.running(job);
  const said = await cluster.ran('node', 'reject', nodeId, '-m', 'needs a new disk');
  t.equal(said.stdout, `node ${nodeId} is rejected\n`);
  await agent.hasNo('executions');
  await soon('its end to be told', async () => {
    const { state, reason } = await one(job, execution);
    return state === 'cancelled' && /its node was rejected: needs a new disk/.test(reason);
  });
  await link(agent, 'rejected');
  t.equal((await agent.status()).link.detail, 'needs a new disk');
  await soon('the job to wait', async () => (await cluster.job(job)).state === 'Queued');
  t.equal((await cluster.ran('node', 'approve', nodeId)).exit?.code, 0);
  await soon('it to run again', async () =>
    (await cluster.executions(job)).some(({ state }) => state === 'running'),
  );
  await cluster.stop(job);
  await agent.hasNo('executions');
});

t.test(
  'work of a rejected node that is gone is given up; then the node can be deleted',
  async (t) => {
    const job = await cluster.submit(batchJob(wasmTask('spin', [])));
    await cluster.running(job);
    await agent.kill();
    t.equal((await cluster.ran('node', 'reject', nodeId)).exit?.code, 0);
    const held = await cluster.ran('node', 'delete', nodeId);
    t.match(held.stderr, /1 executions on \S+ have not ended; reject it, which gives them up/);
    // It waits for the node through its own restart.
    await cluster.requester.kill();
    await cluster.startRequester();
    const { state, message } = await cluster.ended(job, 60_000);
    t.strictSame([state, /lost/.test(message)], ['Failed', true], message);
    t.ok((await cluster.told(job)).some((line) => /was rejected, and has not told/.test(line)));
    const deleted = await cluster.ran('node', 'delete', nodeId);
    t.equal(deleted.stdout, `node ${nodeId} is deleted\n`, deleted.stderr);
    t.strictSame((await cluster.api.get('orchestrator/nodes', nodePage)).Nodes, []);
    await agent.launch();
    await link(agent, 'pending');
    await cluster.ran('node', 'approve', nodeId);
    await agent.ready();
    const next = await cluster.submit(batchJob(wasmTask('hello', [])));
    t.equal((await cluster.ended(next)).state, 'Completed', 'the link begins anew');
  },
);

/** A loaded machine takes its time. */
function soon<T>(what: string, look: () => T | Promise<T>): Promise<unknown> {
  return eventually(what, look, 40_000);
}

async function one(job: string, execution: string) {
  const found = (await cluster.executions(job)).find(({ id }) => id === execution);
  return z.object({ state: z.string(), reason: z.string() }).parse(found);
}

async function link(who: TestAgent, state: string): Promise<void> {
  await soon(`a link that is ${state}`, async () => {
    const { link: now } = await who.status();
    if (now.state !== state) throw new Error(JSON.stringify(now));
    return true;
  });
}
