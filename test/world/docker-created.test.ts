/** Agent and plugin die between the create of a container and its start: it is started once, or never when that is told. */
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { CrashCase } from '../crash/cases.ts';
import { Lane } from '../crash/lane.ts';
import { rawEngine } from '../integration/executor-docker/raw-engine.ts';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { BUSYBOX_IMAGE } from '../../fixtures/image/busybox.mjs';
import { batchJob, dockerTask } from '../kit/job-specs.ts';
import { startProgram, type Program } from '../kit/program.ts';
import type { JsonObject } from '../kit/test-agent.ts';
import {
  containerOf,
  dockerConfig,
  letGo,
  lifeOf,
  nothingLeftOf,
  untilStatus,
  WAIT,
  type DockerWorld,
} from './docker-world.ts';
import { endedOnce, runFolder, type Work } from './host-world.ts';

t.setTimeout(240_000);

const AT_THE_MARK: CrashCase = {
  point: 'plugin.start.marked',
  passage: 1,
  victim: 'both',
  code: 0,
};

t.test('a container that was created and not started', { skip: privateEngineSkip() }, async (t) => {
  const { host, daemon } = await privateEngine(t);
  const lane = await Lane.open(t, { executor: 'docker', config: dockerConfig({ host }) });
  const { cluster, agent } = lane;
  const world: DockerWorld = { cluster, agent, raw: rawEngine(host) };

  /** Agent and plugin are away, and the container of this job is there. */
  const created = async (task: JsonObject): Promise<Work> => {
    await lane.arm(AT_THE_MARK);
    const job = await cluster.submit(batchJob(task));
    await lane.reached(AT_THE_MARK);
    await lane.strike(AT_THE_MARK);
    const work = { job, execution: (await cluster.execution(job)).id };
    t.match(await lifeOf(world, work), { status: 'created' });
    return work;
  };
  const script = `echo began; ${WAIT}; exit 3`;
  const startedOnce = async (t: Test, work: Work): Promise<void> => {
    const { id } = await lifeOf(world, work);
    await lane.again(AT_THE_MARK);
    const running = await untilStatus(world, work, { status: 'running' });
    t.equal(running.id, id, 'the container that was there');
    await letGo(containerOf(world, work));
    const { run, outcome } = await endedOnce(t, world, work);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: 3 } });
    t.equal(await cluster.log(work.job), 'began\n', 'it ran once, with no gap');
    await nothingLeftOf(world, work);
  };

  await t.test('with its mark: that one is started, once', async (t) => {
    await startedOnce(t, await created(dockerTask(script)));
  });

  await t.test('without a mark: that one is started, once', async (t) => {
    const work = await created(dockerTask(script));
    rmSync(join(runFolder(agent, 'docker', work.execution), 'launching'));
    await startedOnce(t, work);
  });

  await t.test('by an engine that died since: it may have begun, so never again', async (t) => {
    const work = await created(dockerTask(script));
    await daemon.kill('SIGKILL');
    await daemon.start();
    t.match(await lifeOf(world, work), { status: 'created' });
    await lane.again(AT_THE_MARK);
    const { state, run, outcome } = await endedOnce(t, world, work);
    const lost = { by: 'lost', reason: 'interrupted' };
    t.match({ state, run, outcome }, { state: 'failed', run: 0, outcome: lost });
    t.match(await cluster.log(work.job), /^\[gap\]\nthe engine restarted at \S+/);
    await nothingLeftOf(world, work);
  });

  await t.test(
    'by an engine that died within the start: what has begun is ended first',
    async (t) => {
      const work = await created(dockerTask(script));
      const { id } = await lifeOf(world, work);
      await daemon.kill('SIGKILL');
      await daemon.start();
      const begun = await beginUnseen(t, id);
      await lane.again(AT_THE_MARK);
      const { state, outcome } = await endedOnce(t, world, work);
      t.match({ state, outcome }, { state: 'failed', outcome: { by: 'lost' } });
      t.match(await begun.waitForExit(), { signal: 'SIGKILL' });
      await nothingLeftOf(world, work);
    },
  );

  await t.test('of which the engine shows a failed start: refused, not tried again', async (t) => {
    // An init process would start, and then end with 127.
    const Params = { Image: BUSYBOX_IMAGE, Parameters: ['/no/such/program'], Init: false };
    const work = await created({ Engine: { Type: 'docker', Params } });
    await t.rejects(containerOf(world, work).start(), /no such file or directory/);
    await lane.again(AT_THE_MARK);
    const { state, run, outcome } = await endedOnce(t, world, work);
    const reason = /\/no\/such\/program.*no such file or directory/;
    t.match(
      { state, run, outcome },
      { state: 'failed', run: 0, outcome: { by: 'refused', reason } },
    );
    t.match((await agent.history(work.execution)).at(-1)?.to, 'failed');
    await nothingLeftOf(world, work);
  });

  await t.test('and was stopped by its owner meanwhile: never started', async (t) => {
    const work = await created(dockerTask(script));
    await cluster.stop(work.job);
    await lane.again(AT_THE_MARK);
    const { state, startedAt } = await endedOnce(t, world, work);
    t.match({ state, startedAt }, { state: 'cancelled', startedAt: undefined });
    await nothingLeftOf(world, work);
  });
});

/** A process in the cgroup of a container that its engine knows nothing of. */
async function beginUnseen(t: Test, containerId: string): Promise<Program> {
  const program = await startProgram(t, 'sleep', { args: ['600'] });
  const root = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
  const folder = join(root, `limpet-test-${containerId}`);
  mkdirSync(folder);
  t.teardown(() => rmdirSync(folder));
  writeFileSync(join(folder, 'cgroup.procs'), String(program.pid));
  return program;
}
