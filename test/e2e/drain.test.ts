/** A node that its operator drains, and takes work again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';

t.setTimeout(240_000);

const CONFIG = {
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
};

t.test(
  'a drained node finishes its work, takes none, stays so over a restart, and takes work again',
  async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent(CONFIG);
    await agent.start();
    const mayEnd = join(cluster.folder, 'may-end');
    const batch = await cluster.submit(
      batchJob(processTask(`until [ -e ${mayEnd} ]; do sleep 0.1; done; exit 7`)),
    );
    const service = await cluster.submit({
      ...batchJob(processTask('sleep 600')),
      Type: 'service',
    });
    const running = await cluster.running(batch);
    await cluster.running(service);
    const drain = (...args: string[]) =>
      cluster.ran('agent', 'drain', ...args, '--data', agent.folder);

    const short = await drain('--wait', '--timeout', '1s');
    t.equal(short.exit?.code, 1, 'the wait is over before the work is');
    t.match(short.stderr, /1 execution is left after 1 s; the node stays drained/);
    t.match((await agent.status()).executions, [{ id: running, state: 'running', run: 0 }]);
    t.equal((await cluster.executions(service))[0]?.state, 'cancelled', 'a service is given back');

    const late = await cluster.submit(batchJob(processTask('echo late')));
    const waits = await eventually('the job to wait', async () => {
      const now = await cluster.job(late);
      return now.state === 'Queued' ? now : undefined;
    });
    t.match(waits.message, /is ineligible: its operator has drained it \(since .*Z\)/);
    t.strictSame(await cluster.executions(late), [], 'it was not even placed');

    t.comment('what the operator sees, on the node and at the requester');
    const status = await cluster.ran('agent', 'status', '--data', agent.folder);
    t.match(status.stdout, /\nDrained +for \d+s, 1 executions left\n/);
    t.match(status.stdout, /Problems\ndrained since .*: no new work is taken/);
    t.match((await cluster.ran('node', 'list')).stdout, /connected, ineligible/);

    t.comment('killed and started, it is still drained');
    await agent.kill();
    await agent.start();
    t.match((await cluster.ran('agent', 'status', '--data', agent.folder)).stdout, /\nDrained /);
    t.match((await agent.status()).executions, [{ id: running, state: 'running', run: 0 }]);
    t.equal((await cluster.job(late)).state, 'Queued');

    t.comment('the run ends by itself, and the wait with it');
    const waiting = await cluster.limpet('agent', 'drain', '--wait', '--data', agent.folder);
    await waiting.waitFor(/1 execution is left/);
    writeFileSync(mayEnd, '');
    t.equal((await waiting.waitForExit(30_000)).code, 0);
    t.match((await cluster.endedExecution(batch)).outcome, { by: 'exit', code: 7 });
    t.match(waiting.stdout, /drained: no work is left/);
    const again = await drain();
    t.match(again.stdout, /drained: no new work is taken; no work is left/, 'twice is as once');

    t.comment('and it takes work again');
    t.match((await drain('--off')).stdout, /takes work again/);
    t.equal((await cluster.ended(late)).state, 'Completed');
    await eventually('the service to run again', async () =>
      (await cluster.executions(service)).some(({ state }) => state === 'running'),
    );
    t.strictSame((await agent.status()).degraded, []);
    t.notMatch((await cluster.ran('node', 'list')).stdout, /ineligible/);
  },
);
