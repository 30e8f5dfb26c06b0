/** Agent and requester as programs that a service manager waits for. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../kit/eventually.ts';
import { NotifySocket } from '../kit/notify-socket.ts';
import { programDir } from '../kit/program-dir.ts';
import { startDist, type Program } from '../kit/program.ts';

t.setTimeout(300_000);

const WAIT_MS = 60_000;
/** Nobody listens there. */
const NO_BROKER = { servers: ['nats://127.0.0.1:9'] };
const NO_EXECUTORS = { docker: { enabled: false }, wasm: { enabled: false } };

interface Started {
  readonly program: Program;
  readonly socket: NotifySocket;
}

async function start(t: Test, name: 'agent' | 'requester', config: object): Promise<Started> {
  const folder = programDir(t);
  const socket = new NotifySocket(t);
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  const program = await startDist(t, name, {
    args: ['--config', file, '--data', join(folder, 'data')],
    env: { ...socket.env, WATCHDOG_USEC: '1500000', LIMPET_LOG: 'json' },
  });
  return { program, socket };
}

function told(socket: NotifySocket, pattern: RegExp): Promise<string> {
  return eventually(
    `systemd to be told ${pattern.source}`,
    () => {
      const line = socket.lines.find((one) => pattern.test(one));
      if (line === undefined) throw new Error(JSON.stringify(socket.lines));
      return line;
    },
    WAIT_MS,
  );
}

function beats(socket: NotifySocket): number {
  return socket.lines.filter((line) => line.includes('WATCHDOG=1')).length;
}

async function livesAndStops(t: Test, { program, socket }: Started): Promise<void> {
  t.match(socket.lines[0], /^READY=1/, 'first of all');
  const seen = beats(socket);
  await eventually('three signs of life', () => beats(socket) >= seen + 3, WAIT_MS);
  program.signal('SIGTERM');
  t.match(await program.waitForExit(WAIT_MS), { code: 0 });
  await told(socket, /STOPPING=1/);
  t.notOk(socket.lines.includes('TWO AT A TIME'));
}

t.test('an agent without a broker is ready, says what it lacks, and lives', async (t) => {
  const started = await start(t, 'agent', { nats: NO_BROKER, executors: NO_EXECUTORS });
  const ready = await told(started.socket, /READY=1/);
  t.match(ready, /STATUS=ready, degraded: link to the requester: /);
  await livesAndStops(t, started);
});

t.test('a requester is ready when its API stands, and lives', async (t) => {
  const started = await start(t, 'requester', { nats: NO_BROKER, http: { port: 0 } });
  await told(started.socket, /READY=1 STATUS=ready/);
  t.match(started.program.stderr, /requester\.ready/);
  await livesAndStops(t, started);
});

t.test('a wrong config ends both at once with 2, which their units do not try again', async (t) => {
  for (const name of ['agent', 'requester'] as const) {
    const { program, socket } = await start(t, name, { nats: { servers: 'nats://host' } });
    t.match(await program.waitForExit(WAIT_MS), { code: 2 }, name);
    t.match(program.stderr, /nats\.servers/, name);
    t.strictSame(socket.lines, [], name);
  }
});

t.test('a start that would fail again tells why and takes its time', async (t) => {
  const folder = programDir(t);
  const socket = new NotifySocket(t);
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'identity.json'), '{"no": "identity"}');
  chmodSync(join(folder, 'data', 'identity.json'), 0o600);
  const args = ['--data', join(folder, 'data')];
  const began = performance.now();
  const program = await startDist(t, 'agent', { args, env: socket.env });
  await told(socket, /STATUS=cannot start: .*identity/);
  t.match(await program.waitForExit(WAIT_MS), { code: 1 });
  t.ok(performance.now() - began > 4_900, 'not twice a second');
  const alone = await startDist(t, 'agent', { args });
  t.match(await alone.waitForExit(WAIT_MS), { code: 1 });
});
