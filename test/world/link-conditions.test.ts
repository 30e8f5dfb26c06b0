/** Broker gone, requester absent, requester silent, permission denied: the agent tells them apart, and works on. */
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { batchJob, wasmTask } from '../kit/job-specs.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { linkedBy, linkWorld, says } from './link-world.ts';

t.setTimeout(300_000);
const skip = natsServerSkip();
/** Longer than the test. */
const TICKS = 6_000;

t.test(
  'each condition has its own words, and a run goes on through all of them',
  { skip },
  async (t) => {
    const { cluster, agent, broker, proxy } = await linkWorld(t, false);
    const job = await cluster.submit(batchJob(wasmTask('ticker', [String(TICKS), '100'])));
    const execution = await cluster.running(job);
    const holder = await agent.claim('wasm', execution);

    await cluster.requester.kill();
    await says(agent, /requester absent: nobody answers/);
    await cluster.startRequester();
    await agent.ready();

    cluster.requester.program.signal('SIGSTOP');
    await says(agent, /requester silent: no answer .* within 1000 ms/);
    cluster.requester.program.signal('SIGCONT');
    await agent.ready();

    proxy.swallow();
    await says(agent, /broker gone: /);
    proxy.heal();
    await agent.ready();

    process.kill(broker.pid, 'SIGSTOP');
    await says(agent, /broker gone: /);
    process.kill(broker.pid, 'SIGCONT');
    await agent.ready();

    await broker.kill();
    await says(agent, /broker gone: /);
    await broker.restart();
    await agent.ready();

    t.equal(await agent.claim('wasm', execution), holder, 'nobody has touched it');
    t.match(await agent.status(), { executions: [{ id: execution, state: 'running', run: 0 }] });
    t.same((await agent.status()).degraded, []);
    await cluster.stop(job);
    t.match(await cluster.endedExecution(job), { state: 'cancelled', run: 0 });
  },
);

t.test('a broker that forbids the subject is no requester that is absent', { skip }, async (t) => {
  const cluster = await startCluster(t);
  const config = `authorization { users = [
    { user: agent, password: agent, permissions: {
        publish: { deny: ["node.requester.>"] } } }
  ] }`;
  const strict = await startNatsServer(t, { config });
  const login = { user: 'agent', password: 'agent' };
  const agent = cluster.addAgent(linkedBy(strict.url, login));
  await agent.launch();
  await says(agent, /permission denied: the broker does not allow .*Handshake/);
  await agent.stopAll();

  const stranger = cluster.addAgent(linkedBy(strict.url, { ...login, password: 'no' }), 'stranger');
  await stranger.launch();
  await says(stranger, /permission-denied: the broker .* refuses these credentials/);
});
