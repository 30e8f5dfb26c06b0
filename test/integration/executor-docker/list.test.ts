/** What the list tells of a run that goes on: as much as a look at it would, while the plugin follows it. */
import t from 'tap';
import { testEngine } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { newRun } from './node.ts';
import { onePlugin } from './one-plugin.ts';
import { nameOf } from './raw-engine.ts';

t.setTimeout(120_000);

const engine = await testEngine(t);

void t.test('the list of runs that go on', { skip: engine.skip }, async (t) => {
  const { node, raw, plugin } = await onePlugin(t, engine.host);
  const run = newRun(node, 'while :; do sleep 0.1; done');
  const container = raw.getContainer(nameOf(node, run));
  const listed = async () => {
    const all = await plugin.list();
    return all.find(({ key }) => key.executionId === run.spec.key.executionId);
  };
  const first = await plugin.start(run);

  await t.test('one that is not followed is listed without a start time', async (t) => {
    const seen = await listed();
    t.match(seen, { phase: 'running', marked: true, ours: true, specHash: 'hash-1' });
    t.notOk(seen?.startedAt);
  });

  const following = new AbortController();
  t.teardown(() => following.abort());
  let ended = plugin.supervise(run, following.signal);

  await t.test('one that is followed is listed as a look shows it', async (t) => {
    t.same(await plugin.observe(run), first);
    t.same(await listed(), first);
  });

  await t.test('one that somebody has paused is listed as paused', async (t) => {
    await container.pause();
    t.match(await listed(), { phase: 'paused' });
    await container.unpause();
    t.match(await listed(), { phase: 'running' });
  });

  await t.test('one that somebody has restarted is not listed with its first start', async (t) => {
    await container.restart({ t: 0 });
    const { State } = await container.inspect();
    await eventually('the restart to be noticed', async () => {
      const startedAt = (await listed())?.startedAt;
      if (startedAt === first.startedAt) throw new Error('the list has the first start');
      return true;
    });
    // A restart whose end was seen is followed anew by Recover.
    following.abort();
    await ended;
    const again = new AbortController();
    t.teardown(() => again.abort());
    ended = plugin.supervise(run, again.signal);
    await plugin.observe(run);
    t.equal((await listed())?.startedAt, Date.parse(State.StartedAt));
    again.abort();
    await ended;
    t.notOk((await listed())?.startedAt, 'nobody follows it any more');
  });
});
