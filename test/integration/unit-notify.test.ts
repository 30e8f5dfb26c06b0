/** What systemd is told, by the real systemd-notify and by a stand-in that can be held and broken. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { serviceManager } from '../../adapters/systemd/notify.ts';
import { silentService } from '../../adapters/systemd/silent.ts';
import { eventually } from '../kit/eventually.ts';
import { NotifySocket } from '../kit/notify-socket.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

/** Of Python: systemd's end of the socket. Node knows no unix datagrams. */
const RECEIVER = `
import socket, sys
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(repr(end.recv(65536).decode()), flush=True)
`;

function standIn(t: Test, env: Readonly<Record<string, string>> = {}) {
  const socket = new NotifySocket(t);
  const warned: unknown[] = [];
  const log = {
    ...silentLog,
    warn: (event: string, fields = {}) => void warned.push([event, fields]),
  };
  return { service: serviceManager({ ...socket.env, ...env }, log), warned, socket };
}

async function toldLines(socket: NotifySocket, count: number): Promise<readonly string[]> {
  return eventually(
    `${count} calls`,
    () => {
      if (socket.lines.length < count) throw new Error(JSON.stringify(socket.lines));
      return socket.lines;
    },
    60_000,
  );
}

t.test('a program that nobody waits for tells nothing', async (t) => {
  t.equal(serviceManager({ PATH: '/nowhere' }, silentLog), silentService);
  t.equal(serviceManager({ NOTIFY_SOCKET: '', PATH: '/nowhere' }, silentLog), silentService);
});

t.test('what waits is told together, one call at a time, in order', async (t) => {
  const { service, socket } = standIn(t);
  socket.hold();
  service.ready('ready');
  for (const text of ['one', 'two', 'three']) {
    service.beat();
    service.status(text);
  }
  service.reloading();
  service.beat();
  service.ready('ready\nagain');
  service.stopping('letting go');
  socket.release();
  t.strictSame(await toldLines(socket, 4), [
    'READY=1 STATUS=ready',
    'WATCHDOG=1 STATUS=three RELOADING=1',
    'READY=1 STATUS=ready again',
    'STOPPING=1 STATUS=letting go',
  ]);
});

t.test('what could not be told is told with the next news; one line is logged', async (t) => {
  const { service, warned, socket } = standIn(t);
  socket.break();
  service.ready('ready');
  await eventually('the first failure', () => warned.length > 0, 60_000);
  service.status('degraded');
  await eventually('the second', () => socket.tries === 2, 60_000);
  socket.mend();
  const [first] = await eventually(
    'the news',
    () => {
      service.beat();
      return socket.lines.length > 0 && socket.lines;
    },
    60_000,
  );
  t.equal(first, 'READY=1 STATUS=degraded WATCHDOG=1');
  t.equal(warned.length, 1);
  t.match(JSON.stringify(warned), /systemd\.not-told.*no such socket/);
});

t.test('without systemd-notify one line is logged, and nothing fails', async (t) => {
  const { service, warned } = standIn(t, { PATH: '/nowhere' });
  service.ready('ready');
  await eventually('the failure', () => warned.length > 0, 60_000);
  t.match(JSON.stringify(warned), /systemd\.not-told.*ENOENT/);
});

t.test('the watchdog is the one of this process', async (t) => {
  const of = (env: Readonly<Record<string, string>>) =>
    serviceManager({ NOTIFY_SOCKET: '/nowhere', ...env }, silentLog).watchdogMs;
  t.equal(of({}), undefined);
  t.equal(of({ WATCHDOG_USEC: '30000000' }), 30_000);
  t.equal(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) }), 30_000);
  t.equal(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }), undefined);
  t.equal(of({ WATCHDOG_USEC: '0' }), undefined);
  t.equal(of({ WATCHDOG_USEC: 'soon' }), undefined);
});

const lacking = await missing();

t.test('systemd gets the datagrams', { skip: lacking ?? false }, async (t) => {
  const socket = join(tempDir(t), 'notify');
  const receiver = await startProgram(t, 'python3', { args: ['-c', RECEIVER, socket] });
  await receiver.waitFor(/listening/, 60_000);
  const service = serviceManager({ ...process.env, NOTIFY_SOCKET: socket }, silentLog);
  service.ready('ready, degraded: executor docker is undetected: "no engine" (50 %)');
  await receiver.waitFor(/READY=1\\nSTATUS=ready, degraded: .*"no engine" \(50 %\)'/, 60_000);
  service.beat();
  await receiver.waitFor(/'WATCHDOG=1'/, 60_000);
  service.stopping('letting go');
  await receiver.waitFor(/'STOPPING=1\\nSTATUS=letting go'/, 60_000);
});

/** What this machine lacks for a real datagram. */
async function missing(): Promise<string | undefined> {
  for (const program of ['systemd-notify', 'python3']) {
    const probe = await startProgram(t, 'sh', { args: ['-c', `command -v ${program}`] });
    if ((await probe.waitForExit(60_000)).code !== 0) return `there is no ${program} here`;
  }
  return undefined;
}
