/** An agent that starts on a disk that is full already: degraded rather than not at all. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { fillDisk, mountSmallDisk, smallDiskSkip } from '../kit/small-disk.ts';

t.setTimeout(180_000);

const skip = smallDiskSkip(t);
const executors = {
  docker: { enabled: false },
  wasm: { enabled: false },
  process: { enabled: true },
};
const identitySchema = z.looseObject({ generation: z.number() });

/** Ends with `then` as soon as the file is there. */
const waitFor = (file: string, then: string) =>
  batchJob(processTask(`until [ -e ${file} ]; do sleep 0.1; done; ${then}`));

const generationOf = (folder: string): number =>
  identitySchema.parse(JSON.parse(readFileSync(join(folder, 'identity.json'), 'utf8'))).generation;

for (const victim of ['the agent', 'agent and plugin'])
  t.test(`${victim}: what runs is there, nothing new is taken, it heals`, { skip }, async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent({ minFreeBytes: 1024 * 1024, executors });
    mountSmallDisk(t, agent.folder);
    await agent.start();
    const go = join(cluster.folder, 'go');
    const job = await cluster.submit(waitFor(go, 'exit 3'));
    const id = await cluster.running(job);
    const holder = await agent.claim('process', id);
    const plugin = await agent.pluginPid('process');
    await agent.kill();
    if (victim !== 'the agent') process.kill(plugin, 'SIGKILL');
    rmSync(join(agent.folder, 'agent.json'));
    const generation = generationOf(agent.folder);
    const ballast = fillDisk(agent.folder);

    await agent.launch();
    const status = await eventually('the agent to answer', () => agent.status(), 20_000);
    t.match(status.degraded[0], /^the store cannot be written: .*no space left.*: no new work/i);
    t.match(status.executions, [{ id, state: 'running', run: 0 }]);
    t.notOk(existsSync(join(agent.folder, 'agent.json')), 'there is no room even for that');
    // Until then its owner would place on what it last knew.
    await eventually(
      'the link',
      async () => (await agent.status()).link.state === 'linked',
      30_000,
    );
    const waiting = await cluster.submit(waitFor('/', 'exit 0'));
    await eventually(
      'its owner to hear why',
      async () => {
        const { message } = await cluster.job(waiting);
        if (!/no space left|MiB left/i.test(message)) throw new Error(`'${message}'`);
        return true;
      },
      30_000,
    );
    t.match((await agent.status()).executions, [{ id, state: 'running' }]);
    t.equal(generationOf(agent.folder), generation);

    for (const file of ballast) rmSync(file);
    const healed = await agent.ready();
    t.notMatch(healed.degraded.join('\n'), /no new work/);
    t.match(healed.executors, [{ adopted: 1 }]);
    t.equal(await agent.claim('process', id), holder, 'the same run');
    await eventually('its file', () => existsSync(join(agent.folder, 'agent.json')));
    t.equal(generationOf(agent.folder), generation + 1);
    writeFileSync(go, '');
    t.match(await cluster.ended(job), { state: 'Failed' });
    t.match(await cluster.execution(job), { outcome: { by: 'exit', code: 3 } });
    t.match(await cluster.ended(waiting), { state: 'Completed' }, 'what waited is taken');
    await agent.end();
  });
