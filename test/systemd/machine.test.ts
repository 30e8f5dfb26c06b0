/** The machine that the tests of this folder use: a real systemd whose files outlive its reboots. */
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { bootMachine } from '../kit/systemd/machine.ts';

t.setTimeout(400_000);

const machine = await bootMachine(t);
const { skip } = machine;

const UNIT = `
[Service]
Type=exec
User=nobody
LoadCredential=word:/root/word
KillMode=process
Restart=on-failure
RestartSec=100ms
ExecStart=/bin/sh -c 'cat "$CREDENTIALS_DIRECTORY/word"; sleep 3600 & exec sleep 7200'
[Install]
WantedBy=multi-user.target
`;

t.test('every unit of its own has started, and it has Node', { skip }, async (t) => {
  t.equal((await machine.systemctl('is-system-running')).trim(), 'running');
  t.equal((await machine.run(['node', '--version'])).trim(), process.version);
});

t.test(
  'a service has its credentials, is restarted, and keeps its children',
  { skip },
  async (t) => {
    await machine.sh('echo secret > /root/word; chmod 0600 /root/word');
    await machine.write('/etc/systemd/system/small.service', UNIT);
    await machine.systemctl('enable', '--now', 'small.service');
    await eventually('its word', async () =>
      /^secret$/m.test(await machine.journal('small.service')),
    );
    const [pid, child] = [await machine.mainPid('small.service'), await children('sleep 3600')];
    await machine.systemctl('kill', '-s', 'KILL', '--kill-who=main', 'small.service');
    await eventually('another main process', async () => {
      const now = await machine.mainPid('small.service');
      return now !== 0 && now !== pid;
    });
    t.equal(child.length, 1);
    t.ok((await children('sleep 3600')).includes(child[0] ?? ''), 'the first child lives');
  },
);

t.test('a reboot keeps files and enabled services, and ends every process', { skip }, async (t) => {
  await machine.copyIn('package.json', '/opt');
  const left = await children('sleep 3600');
  const boot = await bootId();
  await machine.reboot();
  t.not(await bootId(), boot);
  t.match(await machine.run(['cat', '/opt/package.json']), /"name": "limpet"/);
  t.equal((await machine.systemctl('is-active', 'small.service')).trim(), 'active');
  t.ok(left.length >= 2, 'there was something to end');
  t.equal((await children('sleep 3600')).length, 1);
});

t.test('a command has its exit code and both of its streams', { skip }, async (t) => {
  const ran = await machine.inside(['sh', '-c', 'echo out; echo err >&2; exit 7']);
  t.same(ran, { code: 7, stdout: 'out\n', stderr: 'err\n' });
  await t.rejects(machine.run(['sh', '-c', 'echo why >&2; exit 3']), /exit 3\nwhy/);
  await t.rejects(machine.inside(['sleep', '600'], { timeoutMs: 200 }), /not ended within 200 ms/);
});

async function children(command: string): Promise<string[]> {
  const { stdout } = await machine.inside(['pgrep', '-f', '-x', command]);
  return stdout.split('\n').filter((line) => line !== '');
}

function bootId(): Promise<string> {
  return machine.run(['cat', '/proc/sys/kernel/random/boot_id']);
}
