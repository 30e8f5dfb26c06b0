import { existsSync, rmSync } from 'node:fs';
import { connect } from 'nats';
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { processesOf } from '../kit/leftovers.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

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

const KIT = new URL('../kit/', import.meta.url).href;
/** A test that starts what ignores SIGTERM and has a child that is nobody's, says where, and never ends. */
const UNFINISHED = `
const { programDir } = await import('${KIT}program-dir.ts');
const { startProgram } = await import('${KIT}program.ts');
const t = { teardown: () => undefined };
const folder = programDir(t);
const script = 'trap "" TERM; (setsid sleep 600 &) ; while :; do sleep 1; done';
await startProgram(t, 'sh', { args: ['-c', script], cwd: folder });
console.log('in ' + folder);
setInterval(() => undefined, 1000);`;

t.test('what a test has started ends when the test itself is killed', async (t) => {
  const args = ['--import=tsx', '--input-type=module', '--eval', UNFINISHED];
  const test = await startProgram(t, process.execPath, { args });
  const folder = (await test.waitFor(/^in (.*)$/m, 30_000))[1] ?? '';
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await eventually('its programs to run', () => processesOf(folder).length >= 3);
  await test.kill('SIGKILL');
  await eventually('nothing of it to be left', () => processesOf(folder).length === 0);
  t.ok(existsSync(folder), 'its folder stays, to be looked at');
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
