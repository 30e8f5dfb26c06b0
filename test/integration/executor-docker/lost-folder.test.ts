/** Start of a run whose folder was lost, in a plugin as the agent drives it: its container is found, and never made twice. */
import t, { type Test } from 'tap';
import { rmSync } from 'node:fs';
import { Phase } from '../../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { testEngine } from '../../kit/engine.ts';
import { drivePlugin } from '../../kit/plugin-driver.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { newNode } from './node.ts';
import { cleanUp, rawEngine } from './raw-engine.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('a run whose folder was lost', { skip: engine.skip }, async (t) => {
  const node = newNode(tempDir(t));
  const raw = rawEngine(engine.host);
  cleanUp(t, raw, node);
  const plugin = await drivePlugin(t, {
    program: 'dist/executor-docker.js',
    nodeId: node.nodeId,
    instanceId: node.instanceId,
    config: { host: engine.host, pullPolicy: 'never', pidFile: '/nonexistent' },
  });
  const params = (script: string) => ({ Image: engine.image, Parameters: ['sh', '-c', script] });
  const containers = async (executionId: string) => {
    const filters = { label: [`limpet.execution-id=${executionId}`] };
    const found = await raw.listContainers({ all: true, filters });
    return Promise.all(
      found.map(async ({ Id }) => {
        const { State } = await raw.getContainer(Id).inspect();
        return { id: Id, startedAt: State.StartedAt };
      }),
    );
  };
  /** Started, its folder lost while it runs or when it is over, and started again: in the same container. */
  const lostAndStarted = async (
    t: Test,
    { executionId, script, over = false }: { executionId: string; script: string; over?: boolean },
  ) => {
    const run = { executionId, params: params(script), network: 'none' };
    await plugin.start(run);
    if (over) await plugin.wait(run);
    const before = await containers(executionId);
    await plugin.kill9();
    rmSync(plugin.runFolder(run), { recursive: true });
    await plugin.respawn();
    const { state } = await plugin.start(run);
    t.same(await containers(executionId), before, 'the same container, not started again');
    return { run, state, container: raw.getContainer(before[0]?.id ?? '') };
  };

  await t.test('goes on in its container when it is started again', async (t) => {
    const script = 'echo once; until [ -e /go ]; do sleep 0.05; done; exit 7';
    const order = { executionId: 'e-lost-live', script };
    const { run, state, container } = await lostAndStarted(t, order);
    t.equal(state.phase, Phase.RUNNING);
    const exec = await container.exec({ Cmd: ['touch', '/go'], AttachStdout: true });
    (await exec.start({})).resume();
    t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { code: 7 } });
    t.equal((await plugin.logs(run, { follow: true })).stdout, 'once\n');
  });

  await t.test('is told as it ended when it is over', async (t) => {
    const script = 'echo once; exit 5';
    const { run } = await lostAndStarted(t, { executionId: 'e-lost-over', script, over: true });
    t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { code: 5 } });
    t.equal((await plugin.logs(run, { follow: true })).stdout, 'once\n');
  });
});
