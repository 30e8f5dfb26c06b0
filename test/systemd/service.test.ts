/**
 * A host with requester, broker and agent as services, installed from the release by the commands of the documentation. After
 * each thing that is done to it the work is where docs/operating.md says.
 */
import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { batchJob, inline, processTask, wasmTask } from '../kit/job-specs.ts';
import { makeRelease } from '../kit/release.ts';
import { AGENT, Host, REQUESTER } from '../kit/systemd/host.ts';
import { bootMachine } from '../kit/systemd/machine.ts';
import { SteadyWork } from '../kit/systemd/steady-work.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(880_000);

const WAIT_MS = 60_000;
const NEW_LABEL = `
  const [file] = process.argv.slice(1);
  const config = JSON.parse(fs.readFileSync(file, 'utf8'));
  fs.writeFileSync(file, JSON.stringify({ ...config, labels: { ...config.labels, rack: 'r7' } }));`;
const DROP_IN = `/etc/systemd/system/${AGENT}.d/50-test.conf`;

const machine = await bootMachine(t, { memoryBytes: 2 ** 30 });
const { skip } = machine;
const host = new Host(machine);
const work = new SteadyWork(host);

if (skip === false) {
  await host.install(await makeRelease(t, tempDir(t)), ['--process']);
  await work.start(['wasm', 'process']);
}

t.afterEach(async (t) => {
  if (!t.passing()) t.comment((await machine.journal(AGENT)).slice(-4000));
});

t.test(
  'the services are active, and a second installation has nothing to do',
  { skip },
  async (t) => {
    for (const unit of [AGENT, REQUESTER, 'limpet-nats.service'])
      t.equal((await machine.systemctl('is-active', unit)).trim(), 'active', unit);
    t.equal(await machine.systemctl('--failed', '--no-legend'), '');
    t.equal(await machine.property(AGENT, 'StatusText'), 'ready');
    const again = await host.installer('install', 'agent', '--process');
    t.strictSame(
      again.split('\n').filter((line) => line !== '' && !line.endsWith(': nothing to do')),
      [],
    );
    await work.goesOn(t, 'after a second installation');
  },
);

t.test(
  'SIGKILL of the agent: systemd starts it again, the work does not notice',
  { skip },
  async (t) => {
    const { pid } = await host.status();
    await machine.systemctl('kill', '-s', 'KILL', '--kill-who=main', AGENT);
    await host.another(pid);
    await work.goesOn(t, 'after SIGKILL');
  },
);

t.test("a command has its inputs and results, as the installation's user", { skip }, async (t) => {
  const task = processTask('id -un; cat in/word; cp in/word out/word', {
    InputSources: [inline(Buffer.from('a word\n'), '/in/word')],
    Publisher: { Type: 'local' },
    ResultPaths: [{ Name: 'out', Path: '/out' }],
  });
  const job = await host.submit(batchJob(task));
  const { state, message } = await host.ended(job);
  t.equal(state, 'Completed', message);
  t.equal(await host.output(job), 'nobody\na word\n');
  await host.limpet('job', 'get', '--output-dir', '/root/results', job);
  t.equal(await machine.run(['cat', '/root/results/out/word']), 'a word\n');
});

t.test("the operator's commands know the unit: reload, logs, doctor", { skip }, async (t) => {
  const pid = await machine.mainPid(AGENT);
  await machine.run(['node', '-e', NEW_LABEL, '/etc/limpet/agent.config.json']);
  await machine.systemctl('reload', AGENT);
  t.equal(await machine.mainPid(AGENT), pid, 'the same agent');
  await eventually(
    'the requester to hear of the label',
    async () => (await host.limpet('node', 'list', '-o', 'json')).includes('"rack": "r7"'),
    WAIT_MS,
  );
  const log = await host.limpet('agent', 'logs', '-n', '50');
  t.match(log, /"changed":\["labels\.rack"\],.*"event":"config\.reloaded"/);
  const doctor = await machine.inside(['limpet', 'doctor']);
  t.equal(doctor.code, 0, doctor.stdout);
  t.match(doctor.stdout, /process\.conf|KillMode=process/);
});

t.test('systemctl restart: all plugins are found again', { skip }, async (t) => {
  await dropIn('WatchdogSec=8');
  await machine.systemctl('restart', AGENT);
  const { executors } = await host.linked();
  t.ok(executors.every(({ reattached }) => reattached === true));
  await work.goesOn(t, 'after a restart');
});

t.test(
  'an event loop that is blocked: the watchdog ends the agent, not the work',
  { skip },
  async (t) => {
    const pid = await machine.mainPid(AGENT);
    await host.evaluate(pid, 'for (;;) {}');
    await host.another(pid);
    t.match(await machine.journal(AGENT), /Watchdog timeout/);
    await work.goesOn(t, 'after the watchdog');
  },
);

t.test(
  'a job that eats all memory is killed alone, and is shown as what it is',
  { skip },
  async (t) => {
    const pid = await machine.mainPid(AGENT);
    const job = await host.submit(batchJob(processTask('exec tail /dev/zero')));
    const ended = await host.ended(job);
    t.equal(ended.state, 'Failed');
    t.match(ended.message, /signal 9|memory/);
    t.equal(await machine.mainPid(AGENT), pid, 'the same agent');
    await work.goesOn(t, 'after a job was killed for memory');
  },
);

t.test('systemctl stop ends the agent alone, start finds the work again', { skip }, async (t) => {
  await machine.systemctl('stop', AGENT);
  t.equal((await machine.systemctl('is-active', AGENT)).trim(), 'inactive');
  await work.isAlive(t, 'while the agent is stopped');
  await dropIn('KillMode=mixed');
  await machine.systemctl('start', AGENT);
  await work.goesOn(t, 'after stop and start');
});

t.test('a unit that would kill its work is told of', { skip }, async (t) => {
  const { degraded } = await eventually(
    'the agent to look at its unit',
    async () => {
      const status = await host.status();
      return status.degraded.length > 0 && status;
    },
    WAIT_MS,
  );
  t.match(degraded.join('\n'), /KillMode=mixed/);
  t.match(await machine.property(AGENT, 'StatusText'), /KillMode=mixed/);
  t.match(await machine.journal(AGENT), /"event":"unit\.kills-work"/);
  await machine.run(['rm', DROP_IN]);
  await machine.systemctl('daemon-reload');
  await machine.systemctl('restart', AGENT);
  t.strictSame((await host.linked()).degraded, [], 'and no longer when it is mended');
  await work.goesOn(t, 'after the unit was mended');
});

t.test(
  'power is lost: services are up again, runs are lost and said to be',
  { skip },
  async (t) => {
    const service = await host.submit({ ...batchJob(wasmTask('spin', [])), Type: 'service' });
    await host.running(service);
    await machine.loseThePower();
    const { executors } = await host.linked();
    t.ok(
      executors.every(({ reattached }) => reattached === false),
      'new plugins',
    );
    for (const job of work.jobs) {
      const { state, message } = await host.ended(job);
      t.equal(state, 'Failed');
      t.match(message, /lost \(interrupted\)/);
    }
    t.equal((await host.running(service, 1)).run, 1, 'the service is in its next run');
    await host.limpet('job', 'stop', service);
  },
);

t.test('a reboot in order: runs get TERM, and have ended by it', { skip }, async (t) => {
  await work.start(['wasm', 'process']);
  const service = await host.submit({ ...batchJob(wasmTask('spin', [])), Type: 'service' });
  await host.running(service);
  await machine.reboot();
  await host.linked();
  for (const job of work.jobs) {
    const { state, message } = await host.ended(job);
    t.equal(state, 'Failed');
    t.match(message, /signal \(.+\)|lost \(interrupted\)/);
  }
  t.equal((await host.running(service, 1)).run, 1, 'the service is in its next run');
});

t.test('the exposure that systemd finds stays low', { skip }, async (t) => {
  t.ok((await exposure(REQUESTER)) <= 2.0, 'requester');
  t.ok((await exposure(AGENT)) <= 4.0, 'agent with the process executor');
});

t.test(
  'uninstall takes services and programs away, and leaves what it names',
  { skip },
  async (t) => {
    await work.start(['wasm', 'process']);
    const said = await machine.inside(['limpet', 'uninstall']);
    t.equal(said.code, 0, said.stderr);
    t.match(said.stderr, /left, to be used again .*\/var\/lib\/limpet\/agent/);
    t.match(said.stderr, /still running, with their work/);
    await work.isAlive(t, 'after uninstall');
    const left = await machine.sh(
      'ls -A /etc/systemd/system /usr/local/bin; ls -d /opt/limpet || :',
    );
    t.notMatch(left, /limpet/);
    t.match(await machine.run(['ls', '/etc/limpet/keys']), /agent\.nkey/);
  },
);

async function dropIn(line: string): Promise<void> {
  await machine.write(DROP_IN, `[Service]\n${line}\n`);
  await machine.systemctl('daemon-reload');
}

async function exposure(unit: string): Promise<number> {
  const text = await machine.run(['systemd-analyze', 'security', '--no-pager', unit]);
  return Number(/exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
}
