/** The plugin as a process of its own, over the wire, killed while its runs go on. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { Phase } from '../../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { testEngine } from '../../kit/engine.ts';
import { eventually } from '../../kit/eventually.ts';
import { drivePlugin } from '../../kit/plugin-driver.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin } from './node.ts';
import { cleanUp, rawEngine } from './raw-engine.ts';

function numbered(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${prefix} ${i}\n`).join('');
}

const LINES = 20_000;
const COUNT = `i=0
while [ $i -lt ${LINES} ]; do
  echo "line $i"
  [ $((i%100)) = 0 ] && { echo "err $((i/100))" >&2; sleep 0.03; }
  i=$((i+1))
done
exit 7`;

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('after the plugin was killed', { skip: engine.skip }, async (t) => {
  const node = newNode(tempDir(t));
  cleanUp(t, rawEngine(engine.host), node);
  const shell = (script: string) => ({ Image: engine.image, Parameters: ['sh', '-c', script] });
  const drive = (config: object) =>
    drivePlugin(t, {
      program: 'dist/executor-docker.js',
      instanceId: node.instanceId,
      env: { DOCKER_HOST: 'tcp://127.0.0.1:1' },
      config: { host: engine.host, pullPolicy: 'never', ...config },
    });

  await t.test('the run is the same and its log is whole, over rotations', async (t) => {
    const plugin = await drive({ logSize: '500k', logFiles: 6 });
    const run = { executionId: `e-${randomUUID()}`, params: shell(COUNT) };
    const digest = await plugin.prepare(run);
    const { state: first } = await plugin.start({ ...run, digest });
    t.equal(first.phase, Phase.RUNNING);
    const written = async () => (await plugin.logs(run)).stdout.length;
    await eventually('a part of the log', async () => (await written()) > 50_000, 20_000);
    await plugin.kill9();
    await plugin.respawn();
    const again = await plugin.recover(run);
    t.match(again, { marked: true, ours: true });
    t.equal(again.facts['containerId'], first.facts['containerId'], 'the same container');
    t.equal(again.startedAtMs, first.startedAtMs, 'not started again');

    const end = await plugin.wait(run, 30_000);
    t.match(end, { phase: Phase.EXITED, outcome: { by: 'exit', code: 7 } });
    const log = await plugin.logs(run);
    t.ok(log.end, 'the log is complete when the end is told');
    t.equal(log.stdout, numbered('line', LINES), 'no line lost or doubled');
    t.equal(log.stderr, numbered('err', LINES / 100));
    await plugin.remove(run, true);
    t.same(await plugin.list(), []);
  });

  await t.test('the next one keeps the deadline', async (t) => {
    const plugin = await drive({});
    const deadlineAt = Date.now() + 6_000;
    const run = { executionId: `e-${randomUUID()}`, params: shell('sleep 100'), deadlineAt };
    await plugin.start(run);
    await plugin.kill9();
    await plugin.respawn();
    await plugin.recover(run);
    const end = await plugin.wait(run);
    t.match(end, { outcome: { by: 'limit', code: 143, reason: 'deadline' } });
    t.ok(Number(end.finishedAtMs) >= deadlineAt, 'not before its time');
  });

  await t.test('the next one carries out the stop order', async (t) => {
    const run = newRun(node, "trap '' TERM; while :; do sleep 1; done");
    const first = await openPlugin(node, engine.host);
    await first.start(run);
    await first.stop(run, { reason: 'drain', by: 'stop', signal: 'SIGTERM', graceMs: 700 });
    await first.close?.();
    const second = await openPlugin(node, engine.host);
    t.match(await ended(second, run), { outcome: { by: 'stop', code: 137, reason: 'drain' } });
  });

  await t.test('what the wire refuses says why', async (t) => {
    const plugin = await drive({});
    const executionId = `e-${randomUUID()}`;
    const missing = { executionId, params: { Image: 'no/such:1' } };
    await t.rejects(plugin.prepare(missing), /no\/such:1 is not on this node/);
    const unknown = { executionId, params: { ...shell('true'), Imgae: 'x' } };
    await t.rejects(plugin.prepare(unknown), /Imgae/);
  });
});
