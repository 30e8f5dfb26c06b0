/** Whether a plugin says of a run that it follows it: then an agent that comes back need not ask it to. */
import t from 'tap';
import { Phase } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin } from '../kit/plugin-driver.ts';

t.setTimeout(120_000);

const PROGRAM = 'dist/executor-process.js';

t.test('a plugin follows what it has started, after its death what it has recovered', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM });
  const run = { executionId: 'e-follow' };
  const listed = async () =>
    (await plugin.list()).map(({ phase, supervised }) => ({ phase, supervised }));
  await plugin.start({ ...run, params: { Command: ['sleep', '3600'] } });
  t.same(await listed(), [{ phase: Phase.RUNNING, supervised: true }]);
  await plugin.kill9();
  await plugin.respawn();
  t.same(await listed(), [{ phase: Phase.RUNNING, supervised: false }], 'it has to be told first');
  await plugin.recover(run);
  t.same(await listed(), [{ phase: Phase.RUNNING, supervised: true }]);
  await plugin.stop(run);
  await eventually(
    'its end, which needs no following',
    async () => (await listed()).some((one) => one.phase === Phase.EXITED && !one.supervised),
    60_000,
  );
});
