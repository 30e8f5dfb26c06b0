/** The whole way of one job: command line, requester, broker, agent, plugin, runner; the agent killed on the way. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { batchJob, lines, wasmTask } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';

t.setTimeout(240_000);

const LINES = 80;

for (const [broker, skip] of [
  ['nats-server', natsServerSkip()],
  ['embedded', false],
] as const)
  t.test(`a job over ${broker} outlives its agent`, { skip }, async (t) => {
    const cluster = await startCluster(t, { broker });
    const agent = cluster.addAgent();
    await agent.start();
    const file = join(cluster.folder, 'job.json');
    writeFileSync(file, JSON.stringify(batchJob(wasmTask('ticker', [String(LINES), '100']))));
    const following = await cluster.limpet('job', 'run', '--follow', file);
    const [, job = ''] = await following.waitFor(/submitted \((j-[^)]+)\)/, 20_000);
    const execution = await cluster.running(job);
    const holder = await agent.claim('wasm', execution);
    await following.waitFor(/^line 3$/m);

    await agent.kill();
    const status = await agent.start();
    t.match(status.executors, [{ name: 'wasm', reattached: true, adopted: 1 }]);
    t.equal(await agent.claim('wasm', execution), holder, 'the same runner process');
    t.ok(process.kill(Number(holder.split(' ')[0]), 0), 'which is alive');
    const history = await agent.history(execution);
    t.match(history.at(-1)?.cause, /adopted/, 'the adoption is in the history');

    t.same(await following.waitForExit(30_000), { code: 0, signal: null });
    t.equal(following.stdout, lines(LINES), 'what was followed has every line once');
    t.match(following.stderr, /^job \S+ completed after /m);
    const logs = await cluster.ran('job', 'logs', job);
    t.equal(logs.stdout, lines(LINES), 'so has the log that is kept');
    const { state, run, outcome, events } = await cluster.execution(job);
    t.match(
      { state, run, outcome },
      { state: 'completed', run: 0, outcome: { by: 'exit', code: 0 } },
    );
    t.equal(
      events.filter(({ cause }) => cause.includes('adopted')).length,
      1,
      'told to the requester too',
    );

    const failing = join(cluster.folder, 'failing.json');
    writeFileSync(failing, JSON.stringify(batchJob(wasmTask('exit3', []))));
    const failed = await cluster.ran('job', 'run', '--wait', failing);
    t.equal(failed.exit?.code, 3, 'the exit code of the work is that of the command');
    t.match(failed.stderr, /failed after \S+: exit 3\n$/);
  });
