/** What the dev broker does on its own account: bounds, silence, the program. */
import { fileURLToPath } from 'node:url';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { startDevBroker } from '../../adapters/dev-broker/broker.ts';
import { eventually } from '../kit/eventually.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';
import { RawClient } from './dev-broker/raw-client.ts';

t.setTimeout(120_000);

const MAIN = fileURLToPath(new URL('../../adapters/dev-broker/main.ts', import.meta.url));
/** With one user, u, who may publish on `mine`. */
function usersFile(t: Teardown, changed: object = {}): string {
  const file = join(tempDir(t), 'users.json');
  const permissions = { publish: ['mine'], subscribe: [] };
  writeFileSync(file, JSON.stringify([{ user: 'u', password: 'secret', permissions, ...changed }]));
  return file;
}

const QUIET = 'CONNECT {"verbose":false}\r\n';
const LOOPBACK = { host: '127.0.0.1', port: 0 };

t.test('a client that answers no ping is cut as stale', async (t) => {
  const broker = await startDevBroker({
    ...LOOPBACK,
    limits: { pingIntervalMs: 20, maxPingsOut: 2 },
  });
  t.teardown(() => broker[Symbol.asyncDispose]());
  const client = new RawClient(broker.port);
  await client.waitForClose();
  t.match(client.take(), /PING\r\nPING\r\n-ERR 'Stale Connection'\r\n$/);
});

t.test('a client that does not say who it is in time is cut', async (t) => {
  const limits = { authTimeoutMs: 20 };
  const broker = await startDevBroker({ ...LOOPBACK, limits, authorize: () => true });
  t.teardown(() => broker[Symbol.asyncDispose]());
  const client = new RawClient(broker.port);
  await client.waitForClose();
  t.match(client.take(), /-ERR 'Authentication Timeout'\r\n$/);
});

t.test('a client that reads too slowly is cut and holds back nobody', async (t) => {
  const broker = await startDevBroker({ ...LOOPBACK, limits: { maxPendingBytes: 1_000_000 } });
  t.teardown(() => broker[Symbol.asyncDispose]());
  const slow = connect(broker.port, '127.0.0.1');
  t.teardown(() => slow.destroy());
  slow.pause().write(`${QUIET}SUB x 1\r\n`);
  const quick = new RawClient(broker.port);
  const publisher = new RawClient(broker.port);
  t.teardown(() => [quick, publisher].forEach((client) => client.destroy()));
  await quick.send(`${QUIET}SUB x 1\r\nSUB inbox 2\r\n`);
  await quick.settle();
  await publisher.send(QUIET);
  const message = `PUB x 100000\r\n${'x'.repeat(100_000)}\r\n`;
  let sent = 0;
  await eventually(
    'the slow client to be cut',
    async () => {
      await publisher.send(message.repeat(20));
      await publisher.settle();
      sent += 20;
      return broker.connections === 2;
    },
    20_000,
  );
  await quick.settle();
  t.equal(quick.take().split('MSG x 1 100000').length - 1, sent);
});

t.test('a host that is not loopback is refused', async (t) => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
    await t.rejects(startDevBroker({ host, port: 0 }), {
      code: 'invalid-argument',
      message: /loopback/,
    });
  }
});

t.test('a port that is taken is unavailable', async (t) => {
  const broker = await startDevBroker(LOOPBACK);
  t.teardown(() => broker[Symbol.asyncDispose]());
  await t.rejects(startDevBroker({ ...LOOPBACK, port: broker.port }), { code: 'unavailable' });
});

t.test('the program prints its address, lets its users in and ends on SIGTERM', async (t) => {
  const args = ['--import=tsx', MAIN, '--port', '0', '--users', usersFile(t)];
  const program = await startProgram(t, process.execPath, { args });
  const [, port] = await program.waitFor(/^listening nats:\/\/127\.0\.0\.1:(\d+)\n/);
  const client = new RawClient(Number(port));
  t.teardown(() => client.destroy());
  await client.send('CONNECT {"verbose":true,"user":"u","pass":"secret"}\r\n');
  await client.settle();
  t.match(client.take(), /\+OK\r\n$/);
  await client.send('PUB mine 0\r\n\r\nPUB yours 0\r\n\r\n');
  await client.settle();
  t.match(client.take(), /^\+OK\r\n-ERR 'Permissions Violation for Publish to "yours"'\r\n/);
  for (const user of ['u', 'v']) {
    const wrong = new RawClient(Number(port));
    t.teardown(() => wrong.destroy());
    await wrong.send(`CONNECT {"verbose":true,"user":"${user}","pass":"wrong"}\r\n`);
    await wrong.waitForClose();
    t.match(wrong.take(), /-ERR 'Authorization Violation'\r\n$/);
  }
  program.signal('SIGTERM');
  t.same(await program.waitForExit(), { code: 0, signal: null });
});

t.test('the program refuses in one line', async (t) => {
  const wrong = [
    ['--host', '0.0.0.0'],
    ['--port', 'x'],
    ['--users', usersFile(t, { password: 7 })],
    ['--users', join(tempDir(t), 'missing')],
    ['--nonsense'],
  ];
  for (const args of wrong) {
    const options = { args: ['--import=tsx', MAIN, ...args] };
    const program = await startProgram(t, process.execPath, options);
    t.equal((await program.waitForExit()).code, 2);
    t.match(program.stderr, /^dev-broker: [^\n]+\n$/);
    t.notMatch(program.stderr, 'secret');
    t.equal(program.stdout, '');
  }
});
