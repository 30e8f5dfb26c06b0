import t from 'tap';
import { callEngine, engineAnswers } from '../../scripts/engine.mjs';
import { eventually } from '../kit/eventually.ts';
import { privateEngine, privateEngineSkip, testEngine } from '../kit/engine.ts';

t.setTimeout(120_000);

function start(host: string, name: string, image: string) {
  const spec = {
    Image: image,
    Cmd: ['sh', '-c', 'echo up; sleep 60'],
    HostConfig: { NetworkMode: 'none' },
  };
  const body = Buffer.from(JSON.stringify(spec));
  const create = { method: 'POST', type: 'application/json', body } as const;
  return callEngine(host, { path: `/containers/create?name=${name}`, ...create }).then(() =>
    callEngine(host, { path: `/containers/${name}/start`, method: 'POST' }),
  );
}

async function isRunning(host: string, name: string): Promise<boolean> {
  const { status, body } = await callEngine(host, { path: `/containers/${name}/json` });
  return status === 200 && JSON.parse(body).State.Running === true;
}

const shared = await testEngine(t);
t.test('the shared engine has the fixture image', { skip: shared.skip }, async (t) => {
  const { status } = await callEngine(shared.host, { path: `/images/${shared.image}/json` });
  t.equal(status, 200);
});

t.test(
  'a private engine with live-restore loses no container to its death',
  { skip: privateEngineSkip() },
  async (t) => {
    const engine = await privateEngine(t, { liveRestore: true });
    t.equal((await start(engine.host, 'stays', engine.image)).status, 204);
    await engine.daemon.kill();
    t.equal(await engineAnswers(engine.host), false);
    await engine.daemon.start();
    t.ok(await eventually('the container to run', () => isRunning(engine.host, 'stays')));
  },
);

t.test('a private engine leaves nothing behind', { skip: privateEngineSkip() }, async (t) => {
  let host = '';
  await t.test('inner', async (t) => {
    const engine = await privateEngine(t);
    host = engine.host;
    t.equal((await start(host, 'goes', engine.image)).status, 204);
  });
  t.equal(await engineAnswers(host), false);
});
