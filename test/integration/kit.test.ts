import { existsSync } from 'node:fs';
import { connect } from 'nats';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test('eventually answers with the first truthy state', async (t) => {
  let looks = 0;
  t.equal(await eventually('three looks', () => (++looks < 3 ? undefined : looks)), 3);
});

t.test('eventually fails at its deadline with the last state and the last error', async (t) => {
  const state = eventually('a thing', () => (Date.now() > 0 ? undefined : 1), 60);
  await t.rejects(state, { message: /a thing: not within 60 ms; last seen: undefined/ });
  const broken = eventually('a thing', () => Promise.reject(new Error('refused')), 60);
  await t.rejects(broken, { message: /last seen: error refused/ });
  const hung = eventually('a thing', () => new Promise<boolean>(() => undefined), 60);
  await t.rejects(hung, { message: /did not return/ });
});

t.test('a temp folder is gone after its test', async (t) => {
  let folder = '';
  await t.test('inner', async (t) => {
    folder = tempDir(t);
    t.ok(existsSync(folder));
  });
  t.notOk(existsSync(folder));
});

t.test('a program is seen by its output and its end, free of the hooks of tap', async (t) => {
  const program = await startProgram(t, 'sh', {
    args: ['-c', 'cat; echo "options:$NODE_OPTIONS:$EXTRA"; exit 7'],
    env: { EXTRA: 'yes' },
    input: 'given\n',
  });
  t.same((await program.waitFor(/options:(.*)/))[1], ':yes');
  t.same(await program.waitForExit(), { code: 7, signal: null });
  t.match(program.stdout, /^given\n/);
});

t.test('waiting for a line of a program that ends first fails at once', async (t) => {
  const program = await startProgram(t, 'sh', { args: ['-c', 'echo sad >&2'] });
  await t.rejects(program.waitFor(/happy/), { message: /it ended with .*\n[^]*sad/ });
});

t.test('a program that still runs is killed with its test', async (t) => {
  let pid = 0;
  await t.test('inner', async (t) => {
    pid = (await startProgram(t, 'sleep', { args: ['60'] })).pid;
    t.ok(process.kill(pid, 0));
  });
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

t.test('nats-server comes back on its port after a kill', { skip: natsServerSkip() }, async (t) => {
  const server = await startNatsServer(t, { config: 'max_payload: 65536' });
  const first = server.pid;
  await server.kill();
  await server.restart();
  t.not(server.pid, first);
  const connection = await connect({ servers: server.url });
  t.equal(connection.info?.max_payload, 65536);
  await connection.close();
});
