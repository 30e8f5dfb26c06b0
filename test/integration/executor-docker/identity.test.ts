import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dockerConfig } from '../../../executors/docker/config.ts';
import { createOptions } from '../../../executors/docker/create-options.ts';
import { openEngine } from '../../../executors/docker/engine.ts';
import { privateEngine, testEngine } from '../../kit/engine.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin } from './node.ts';
import { onePlugin } from './one-plugin.ts';
import { cleanUp, nameOf, rawStdout, stranger } from './raw-engine.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('one run, one container', { skip: engine.skip }, async (t) => {
  const { node, raw, plugin } = await onePlugin(t, engine.host);

  await t.test(
    'started twice, it is the same one, and what has ended is not started again',
    async (t) => {
      const run = newRun(node, 'echo once');
      const first = await plugin.start(run);
      const end = await ended(plugin, run);
      const again = await plugin.start(run);
      t.equal(again.facts?.['containerId'], first.facts?.['containerId']);
      t.same(again, end);
      t.equal(await rawStdout(raw, nameOf(node, run)), 'once\n');
    },
  );

  await t.test('two plugins that start it at once meet in one container', async (t) => {
    const run = newRun(node, 'echo once; sleep 0.2');
    const elsewhere = { ...node, folder: tempDir(t) };
    const same = newRun(elsewhere, 'echo once; sleep 0.2', { key: run.spec.key });
    const other = await openPlugin(elsewhere, engine.host);
    const both = await Promise.all([plugin.start(run), other.start(same)]);
    t.equal(both[0].facts?.['containerId'], both[1].facts?.['containerId']);
    t.match(await ended(plugin, run), { outcome: { by: 'exit', code: 0 } });
    t.equal(await rawStdout(raw, nameOf(node, run)), 'once\n');
  });

  await t.test(
    'a container that an earlier plugin created and did not start is adopted and started',
    async (t) => {
      const run = newRun(node, 'exit 5');
      const port = await openEngine(engine.host);
      const on = { config: dockerConfig.parse({}), identity: node };
      const options = createOptions(run.spec, engine.image, on);
      const id = await port.create(nameOf(node, run), options);
      t.match(await plugin.observe(run), { phase: 'created', marked: false, ours: true });
      t.match(await plugin.start(run), { marked: true, facts: { containerId: id } });
      t.match(
        readFileSync(join(run.folder, 'launching'), 'utf8'),
        new RegExp(`^${id} boot-1 [0-9a-f-]{36}\\n$`),
      );
      t.match(await ended(plugin, run), { outcome: { by: 'exit', code: 5 } });
    },
  );

  await t.test('another spec for the same run is refused', async (t) => {
    const run = newRun(node, 'sleep 60');
    await plugin.start(run);
    const other = newRun(node, 'sleep 60', { key: run.spec.key, specHash: 'hash-2' });
    await t.rejects(plugin.start(other), { code: 'already-exists' });
    await plugin.remove(run.spec.key);
  });

  await t.test("a stranger's container under our name is refused and not touched", async (t) => {
    const run = newRun(node, 'true');
    const theirs = await stranger(t, raw, nameOf(node, run), engine.image);
    await t.rejects(plugin.start(run), { code: 'refused', message: /not ours/ });
    t.match(await plugin.observe(run), { phase: 'running', ours: false });
    await plugin.remove(run.spec.key);
    t.equal((await theirs.inspect()).State.Running, true, 'it is still there');
  });

  await t.test(
    'a container that got our labels by docker commit is shown as not ours',
    async (t) => {
      const run = newRun(node, 'sleep 60');
      await plugin.start(run);
      const copy = { repo: 'fixture/copied', tag: node.instanceId };
      await raw.getContainer(nameOf(node, run)).commit(copy);
      const image = `${copy.repo}:${copy.tag}`;
      t.teardown(() => raw.getImage(image).remove({ force: true }));
      const theirs = await stranger(t, raw, `stranger-${node.instanceId}`, image);
      const listed = (await plugin.list()).filter(
        (o) => o.key.executionId === run.spec.key.executionId,
      );
      const told = listed.map(({ facts, ours }) => [facts?.['container'], ours]);
      t.same(
        new Map(told.map(([name, ours]) => [name, ours])),
        new Map([
          [nameOf(node, run), true],
          [`stranger-${node.instanceId}`, false],
        ]),
      );
      await plugin.remove(run.spec.key);
      t.equal((await theirs.inspect()).State.Running, true, 'it is still there');
    },
  );

  await t.test(
    'the list tells running, created and exited runs of this instance only',
    async (t) => {
      const mine = newNode(tempDir(t));
      cleanUp(t, raw, mine);
      const here = await openPlugin(mine, engine.host);
      const running = newRun(mine, 'sleep 60');
      const exited = newRun(mine, 'exit 7');
      const refused = newRun(mine, '', { params: { Parameters: ['/no/such'], Init: false } });
      await here.start(running);
      await here.start(exited);
      await t.rejects(here.start(refused), { code: 'refused' });
      await ended(here, exited);
      const seen = new Map((await here.list()).map((o) => [o.key.executionId, o]));
      t.equal(seen.size, 3);
      t.match(seen.get(running.spec.key.executionId), { phase: 'running', marked: true });
      t.match(seen.get(exited.spec.key.executionId), {
        phase: 'exited',
        outcome: { by: 'exit', code: 7 },
      });
      t.match(seen.get(refused.spec.key.executionId), {
        phase: 'created',
        startError: /no such file/,
      });
      await here.remove(running.spec.key);
    },
  );

  await t.test('runs of another engine are unobservable, and the executor says why', async (t) => {
    const mine = newNode(tempDir(t));
    cleanUp(t, raw, mine);
    const here = await openPlugin(mine, engine.host);
    const run = newRun(mine, 'sleep 60');
    await here.start(run);
    const second = await privateEngine(t);
    const moved = await openPlugin(mine, second.host);
    t.match(await moved.observe(run), { phase: 'unobservable', marked: true });
    t.match(await moved.list(), [{ key: run.spec.key, phase: 'unobservable' }]);
    t.match(await moved.fingerprint(), {
      health: 'unhealthy',
      reason: /engine changed: 1 run belongs/,
    });
    t.equal(await moved.engineId?.(), undefined, 'the other engine gets no id');
    await t.rejects(moved.start(newRun(mine, 'true')), {
      code: 'unavailable',
      message: /engine changed/,
    });
    await t.rejects(moved.remove(run.spec.key), { code: 'unavailable' });
    t.match(await here.observe(run), { phase: 'running' });
    await here.remove(run.spec.key);
  });
});
