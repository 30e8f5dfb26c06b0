import t, { type Test } from 'tap';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { Health } from '../../plugins/proto/gen/grpc/health/v1/health_pb.js';
import { Phase, type Event } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { GRPCBroker, GRPCStdio } from '../../plugins/proto/gen/plugin/plugin_pb.js';
import { client, connect } from '../../plugins/proto/grpc.ts';
import { COOKIE_KEY, COOKIE_VALUE } from '../../plugins/proto/handshake.ts';
import { eventually } from '../kit/eventually.ts';
import { drivePlugin } from '../kit/plugin-driver.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const PROGRAM = 'dist/executor-process.js';
const sh = (script: string) => ({ Command: ['sh', '-c', script] });

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it did not fail',
    (thrown: unknown) => LimpetError.from(thrown),
  );

const socketOf = (folder: string, pid: number) => join(folder, 's', `plugin-${pid}.sock`);

/** The program as any go-plugin host starts it, stdout and stderr read. */
const launch = (t: Test, folder: string, env: Record<string, string>) =>
  startProgram(t, process.execPath, {
    args: [PROGRAM],
    env: { PLUGIN_UNIX_SOCKET_DIR: folder, ...env },
  });

t.test('without the cookie it tells people what it is', async (t) => {
  const program = await launch(t, tempDir(t), {});
  t.match(await program.waitForExit(), { code: 1 });
  t.match(program.stderr, /'process' executor plugin of Limpet.*started by the Limpet agent/);
  t.equal(program.stdout, '');
});

t.test('what it cannot do is said before it begins', async (t) => {
  const cookie = { [COOKIE_KEY]: COOKIE_VALUE };
  const tls = await launch(t, tempDir(t), { ...cookie, PLUGIN_CLIENT_CERT: '-----BEGIN' });
  const long = await launch(t, `/tmp/${'x'.repeat(100)}`, cookie);
  t.match(await tls.waitForExit(), { code: 1 });
  t.match(tls.stderr, /does not speak AutoMTLS/);
  t.match(await long.waitForExit(), { code: 1 });
  t.match(long.stderr, /longer than 100 bytes/);
});

t.test('the handshake is the first line on stdout, the log is JSON on stderr', async (t) => {
  const folder = tempDir(t);
  const program = await launch(t, folder, {
    [COOKIE_KEY]: COOKIE_VALUE,
    PLUGIN_PROTOCOL_VERSIONS: '1,9',
    PLUGIN_MULTIPLEX_GRPC: 'true',
  });
  await program.waitFor(/\n/);
  const socket = join(folder, `plugin-${program.pid}.sock`);
  t.equal(program.stdout, `1|1|unix|${socket}|grpc||false\n`);
  t.equal(statSync(socket).mode & 0o777, 0o700, "the socket is the owner's alone");
  await program.waitFor(/plugin\.serving/);
  for (const line of program.stderr.trim().split('\n'))
    t.match(JSON.parse(line), {
      '@level': String,
      '@module': 'process',
      '@timestamp': /\.\d{6}Z$/,
    });
  program.signal('SIGINT');
  program.signal('SIGHUP');
  const link = connect(`unix:${socket}`);
  t.teardown(() => link.close());
  t.match(await client(Health, link).check({ service: 'plugin' }), { status: 1 });
  program.signal('SIGTERM');
  t.match(await program.waitForExit(), { code: 0 });
  t.notOk(existsSync(socket), 'the socket is gone');
});

t.test('health, stdio and broker are what a go-plugin host expects', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM });
  const link = connect(`unix:${socketOf(plugin.folder, plugin.pid)}`);
  t.teardown(() => link.close());
  const health = client(Health, link);
  t.match(await health.check({ service: 'plugin' }), { status: 1 });
  t.match(await failure(health.check({ service: 'other' })), { code: 'not-found' });
  const quiet = async (stream: AsyncIterable<unknown>) => {
    for await (const message of stream) t.fail(`it is not quiet: ${String(message)}`);
  };
  const stdio = client(GRPCStdio, link).streamStdio({}, { deadlineMs: 300 });
  const nothing = (async function* () {})();
  const broker = client(GRPCBroker, link).startStream(nothing, { deadlineMs: 300 });
  t.match(await failure(quiet(stdio)), { code: 'timeout' });
  t.match(await failure(quiet(broker)), { code: 'timeout' });
  await plugin.shutdown();
  t.notOk(existsSync(socketOf(plugin.folder, plugin.pid)));
});

t.test('info proves the instance, schemas are JSON Schema', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM });
  t.match(await plugin.calls.info({}), {
    name: 'process',
    instanceId: 'test-1',
    pid: BigInt(plugin.pid),
    capabilities: { exec: false, tty: false, stats: false, renew: true },
  });
  const { configSchemaJson, paramsSchemaJson } = await plugin.calls.configSchema({});
  t.match(JSON.parse(configSchemaJson), { type: 'object', additionalProperties: false });
  t.same(JSON.parse(paramsSchemaJson).required, ['Command']);
  const stats = plugin.calls.stats({})[Symbol.asyncIterator]().next();
  t.match(await failure(stats), { code: 'unimplemented' });
  for await (const found of plugin.calls.fingerprint({})) {
    t.match(found, { health: 3, reason: '' });
    break;
  }
});

t.test('configure is repeatable with equal values and refuses others', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM, config: { envAllow: ['A'] } });
  await plugin.configure();
  t.match(await failure(plugin.configure({ envAllow: ['B'] })), { code: 'conflict' });
  await plugin.configure();
});

t.test('a bad config is refused by path and may be corrected', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM, configure: false });
  t.match(await failure(plugin.list()), { code: 'conflict', message: /call Configure first/ });
  t.match(await failure(plugin.configure({ envAllow: 'x' })), {
    code: 'invalid-config',
    message: /envAllow/,
  });
  t.match(await failure(plugin.configure({ envAllow: ['('] })), { code: 'invalid-config' });
  await plugin.configure({ envAllow: ['A'] });
  t.same(await plugin.list(), []);
});

t.test('the end of a run wakes its follower, with a number', async (t) => {
  const plugin = await drivePlugin(t, { program: PROGRAM });
  const key = { executionId: 'e-wake', run: 0 };
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const woken = plugin.calls.events({ sinceSeq: 7n }, { signal: stop.signal, deadlineMs: 30_000 });
  const events = woken[Symbol.asyncIterator]();
  t.match((await events.next()).value, { gap: true }, 'the numbers of another instance');
  await plugin.start({ ...key, params: sh('echo hello; echo oh >&2; exit 3') });
  const { value: end }: IteratorResult<Event, undefined> = await events.next();
  t.match(end, { gap: false, seq: 1n, key });
  t.match(end?.state, { phase: Phase.EXITED, outcome: { by: 'exit', code: 3 }, logOffset: 9n });
  const said = end?.log.map(({ data }) => Buffer.from(data).toString());
  t.same(said?.sort(), ['hello\n', 'oh\n'], 'a short log comes with the news');
  t.match(await plugin.status(key), { phase: Phase.EXITED });
  await plugin.start({ executionId: 'e-much', params: sh('seq 1 2000') });
  const { value: much }: IteratorResult<Event, undefined> = await events.next();
  t.match(much, { seq: 2n, state: { phase: Phase.EXITED, logOffset: 8893n } });
  t.same(much?.log, [], 'a long one does not');
});

t.test('release lets go, another instance takes over and loses nothing', async (t) => {
  const folder = tempDir(t);
  const old = await drivePlugin(t, { program: PROGRAM, folder, name: 'old' });
  const run = { executionId: 'e-moved', run: 0 };
  await old.start({
    ...run,
    params: sh('i=0; while [ $i -lt 40 ]; do echo $((i+=1)); sleep 0.05; done'),
  });
  await eventually('some lines', async () => (await old.logs(run)).stdout.includes('3\n'));
  await old.calls.release({ key: run });
  await old.calls.release({ key: run });
  const next = await drivePlugin(t, { program: PROGRAM, folder, name: 'next' });
  await next.recover(run);
  t.match(await next.wait(run), { outcome: { by: 'exit', code: 0 } });
  const expected = Array.from({ length: 40 }, (_, i) => `${i + 1}\n`).join('');
  t.equal((await next.logs(run, { follow: true })).stdout, expected);
});

t.test('without client and run it ends itself, with a run it stays', async (t) => {
  const program = 'test/integration/sdk-orphan-plugin.ts';
  const plugin = await drivePlugin(t, { program, env: { ORPHAN_AFTER_MS: '1500' } });
  const run = { executionId: 'e-held' };
  await plugin.start({ ...run, params: sh('sleep 3') });
  const exitFile = join(plugin.runFolder(run), 'exit');
  await eventually('the run to end', () => existsSync(exitFile));
  t.ok(plugin.isAlive, 'it stayed for its run');
  await eventually('the plugin to end', () => !plugin.isAlive);
  t.match(plugin.stderr, /plugin\.ending/);
});

for (const point of [
  'plugin.run-folder.written',
  'plugin.start.before',
  'plugin.start.marked',
  'plugin.start.launched',
  'plugin.exit.before-record',
  'plugin.exit.after-record',
  'plugin.remove.before',
  'plugin.remove.after',
])
  t.test(`a plugin that dies at ${point} changes nothing but time`, async (t) => {
    const plugin = await drivePlugin(t, { program: PROGRAM, env: { LIMPET_CRASH_AT: point } });
    const run = { executionId: 'e-crash', params: sh('echo once; echo run >> ../count; exit 4') };
    const life = async () => {
      await plugin.start(run);
      await plugin.wait(run);
      await plugin.remove(run);
    };
    t.match(await failure(life()), { code: /unavailable|cancelled|plugin-failed/ });
    await eventually('the plugin to be dead', () => !plugin.isAlive);
    await plugin.respawn({ LIMPET_CRASH_AT: '' });
    if (!point.startsWith('plugin.remove')) {
      await plugin.start(run);
      t.match(await plugin.wait(run), { phase: Phase.EXITED, outcome: { by: 'exit', code: 4 } });
      t.equal(readFileSync(join(plugin.runFolder(run), 'count'), 'utf8'), 'run\n', 'it ran once');
    }
    await plugin.remove(run);
    t.notOk(existsSync(plugin.runFolder(run)));
    t.match(await plugin.logs(run, { follow: true }), { stdout: 'once\n', end: true });
  });
