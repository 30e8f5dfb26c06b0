import t from 'tap';
import { testEngine } from '../../kit/engine.ts';
import { ended, newRun } from './node.ts';
import { onePlugin } from './one-plugin.ts';
import { nameOf } from './raw-engine.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('a run is ended', { skip: engine.skip }, async (t) => {
  const { node, raw, plugin } = await onePlugin(t, engine.host);

  await t.test(
    'a run that ignores TERM is killed after its grace, under the reason of the order',
    async (t) => {
      const run = newRun(node, "trap '' TERM; while :; do sleep 1; done");
      await plugin.start(run);
      const end = ended(plugin, run);
      await plugin.stop(run, {
        reason: 'asked by a person',
        by: 'stop',
        signal: 'SIGTERM',
        graceMs: 300,
      });
      await plugin.stop(run, { reason: 'too late', by: 'limit', signal: 'SIGKILL', graceMs: 0 });
      t.match(await end, {
        phase: 'exited',
        outcome: { by: 'stop', code: 137, reason: 'asked by a person' },
      });
    },
  );

  await t.test('a run that ends in its grace keeps its own code', async (t) => {
    const run = newRun(node, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    await plugin.start(run);
    for await (const chunk of plugin.logs(run).read('', AbortSignal.timeout(10_000)))
      if (chunk.stream === 'stdout') break;
    const end = ended(plugin, run);
    await plugin.stop(run, { reason: 'drain', by: 'stop', signal: 'SIGTERM', graceMs: 20_000 });
    t.match(await end, { outcome: { by: 'stop', code: 9, reason: 'drain' } });
  });

  await t.test('a TERM right after the start is not lost', async (t) => {
    // So little of a processor that the container's init is long in coming.
    const limits = { cpuMillis: 10, memoryBytes: 0, pids: 0, diskBytes: 0 };
    const stopped = async () => {
      const run = newRun(node, 'while :; do sleep 0.1; done', { limits });
      await plugin.start(run);
      const end = ended(plugin, run);
      await plugin.stop(run, { reason: '', by: 'stop', signal: 'SIGTERM', graceMs: 20_000 });
      return (await end).outcome?.code;
    };
    const codes = await Promise.all(Array.from({ length: 8 }, stopped));
    t.strictSame(codes, new Array(8).fill(143), 'nobody was killed at the end of the grace');
  });

  await t.test('an order after the end changes nothing', async (t) => {
    const run = newRun(node, 'exit 3');
    await plugin.start(run);
    await ended(plugin, run);
    await plugin.stop(run, { reason: 'late', by: 'stop', signal: 'SIGTERM', graceMs: 0 });
    t.match(await plugin.observe(run), { outcome: { by: 'exit', code: 3 } });
  });

  await t.test('the deadline ends a run', async (t) => {
    const run = newRun(node, 'sleep 60', { deadlineAt: Date.now() + 700 });
    await plugin.start(run);
    t.match(await ended(plugin, run), { outcome: { by: 'limit', code: 143, reason: 'deadline' } });
  });

  await t.test('a paused container is seen as paused, and can be stopped', async (t) => {
    const run = newRun(node, 'sleep 60');
    await plugin.start(run);
    await raw.getContainer(nameOf(node, run)).pause();
    t.match(await plugin.observe(run), { phase: 'paused' });
    const end = ended(plugin, run);
    await plugin.stop(run, { reason: 'stop', by: 'stop', signal: 'SIGTERM', graceMs: 200 });
    t.match(await end, { phase: 'exited', outcome: { by: 'stop' } });
  });

  await t.test('remove ends and deletes, and twice is the same as once', async (t) => {
    const run = newRun(node, 'sleep 60');
    await plugin.start(run);
    await plugin.remove(run.spec.key);
    await plugin.remove(run.spec.key);
    await t.rejects(raw.getContainer(nameOf(node, run)).inspect(), /no such container/);
    t.match(await plugin.observe(run), { phase: 'absent', marked: true });
    t.match(
      await plugin.start(run),
      { phase: 'absent', marked: true },
      'a marked run is not made again',
    );
  });
});
