/**
 * A host with a Docker engine, run by its own units, and an agent in the docker profile, installed from the release. After each
 * thing that is done to agent, engine and host the containers are where docs/operating.md says.
 */
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { otherVersion } from '../integration/install-kit.ts';
import { eventually } from '../kit/eventually.ts';
import { BUSYBOX_IMAGE } from '../../fixtures/image/busybox.mjs';
import { batchJob, dockerTask, inline, lines, local } from '../kit/job-specs.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { ENGINE, MachineEngine } from '../kit/systemd/engine.ts';
import { AGENT, Host } from '../kit/systemd/host.ts';
import { bootMachine } from '../kit/systemd/machine.ts';
import { SteadyWork } from '../kit/systemd/steady-work.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(880_000);

const WAIT_MS = 60_000;
const SHARED = '/srv/shared';
const RESULTS = { Publisher: { Type: 'local' }, ResultPaths: [{ Name: 'out', Path: '/out' }] };
const input = inline(Buffer.from('a word\n'), '/in/word');

const machine = await bootMachine(t, { docker: true });
const { skip } = machine;
const engine = new MachineEngine(machine);
const host = new Host(machine, {
  executors: { wasm: { enabled: false } },
  allowLocal: [{ path: SHARED }],
});
const work = new SteadyWork(host, engine);
const next = skip === false ? await prepare() : '';

t.afterEach(async (t) => {
  if (!t.passing()) t.comment((await machine.journal(AGENT)).slice(-4000));
});

t.test("the engine's socket is open to the service by its group", { skip }, async (t) => {
  const socket = '/run/docker.sock';
  t.equal(await machine.run(['stat', '-c', '%U %G %a', socket]), 'root docker 660\n');
  const gid = (await machine.sh('getent group docker | cut -d: -f3')).trim();
  for (const pid of [await machine.mainPid(AGENT), await pluginPid()]) {
    const status = await machine.run(['cat', `/proc/${pid}/status`]);
    t.notMatch(status, /^Uid:\t0\t/m);
    t.match(status, new RegExp(`^Groups:.*\\b${gid}\\b`, 'm'));
  }
  t.notMatch(await machine.run(['id', 'limpet-agent']), /docker/, 'nobody else has it by the user');
  const ping = ['docker', '-H', `unix://${socket}`, 'version', '--format', '{{.Server.Version}}'];
  const user = ['setpriv', '--reuid', 'limpet-agent', '--regid', 'limpet'];
  const member = await machine.inside([...user, '--groups', 'docker', ...ping]);
  t.equal(member.code, 0, `${member.stdout}${member.stderr}`);
  const other = await machine.inside([...user, '--clear-groups', ...ping]);
  t.match(other.stderr, /permission denied/i);
});

t.test('doctor knows the engine, and who may use it', { skip }, async (t) => {
  const { code, stdout } = await machine.inside(['limpet', 'doctor']);
  t.equal(code, 0, stdout);
  t.match(stdout, /ok +docker engine +version .*; root and the group docker may use/);
});

t.test('inputs and results are shared with the engine, whoever it runs as', { skip }, async (t) => {
  const script = 'umask 077; cat /in/word > /out/word; id -u > /out/who';
  for (const [user, uid] of [
    ['root', '0\n'],
    ['nobody', '65534\n'],
  ] as const) {
    const Params = { Image: BUSYBOX_IMAGE, User: user, Parameters: ['sh', '-c', script] };
    const task = { Engine: { Type: 'docker', Params }, InputSources: [input], ...RESULTS };
    const job = await host.submit(batchJob(task));
    const ended = await host.ended(job);
    t.match(ended.state, 'Completed', `${user}: ${ended.message}`);
    t.strictSame(await resultsOf(job), ['a word\n', uid]);
  }
});

t.test('SIGKILL of the agent', { skip }, async (t) => {
  const { pid } = await host.status();
  await machine.systemctl('kill', '-s', 'KILL', '--kill-who=main', AGENT);
  await host.another(pid);
  await work.goesOn(t, 'after SIGKILL');
});

t.test('systemctl restart', { skip }, async (t) => {
  await machine.systemctl('restart', AGENT);
  const { executors } = await host.linked();
  t.strictSame(
    executors.map(({ reattached }) => reattached),
    [true],
  );
  await work.goesOn(t, 'after a restart');
});

t.test(
  'systemctl stop and start: what ended meanwhile is told, with its results',
  { skip },
  async (t) => {
    const wait = `until [ -e /shared/go ]; do sleep 0.1; done; cp /in/word /out/word; id -u > /out/who; echo over`;
    const inputs = { InputSources: [input, local(SHARED, '/shared')] };
    const job = await host.submit(batchJob(dockerTask(wait, { ...inputs, ...RESULTS })));
    await host.running(job);
    await machine.systemctl('stop', AGENT);
    t.equal((await machine.systemctl('is-active', AGENT)).trim(), 'inactive');
    const running = await engine.running();
    await machine.run(['touch', `${SHARED}/go`]);
    await eventually(
      'the end of the container',
      async () => (await engine.running()).length === running.length - 1,
      WAIT_MS,
    );
    await work.isAlive(t, 'while the agent is stopped');
    await machine.systemctl('start', AGENT);
    await work.goesOn(t, 'after stop and start');
    const ended = await host.ended(job);
    t.equal(ended.state, 'Completed', ended.message);
    t.equal(await host.output(job), 'over\n');
    t.strictSame(await resultsOf(job), ['a word\n', '0\n']);
  },
);

t.test('an upgrade', { skip }, async (t) => {
  const said = await machine.inside(['limpet', 'agent', 'upgrade', next], { timeoutMs: 300_000 });
  t.equal(said.code, 0, said.stderr);
  t.equal((await host.linked()).version, '0.1.1');
  await work.goesOn(t, 'after an upgrade');
});

t.test(
  'systemctl restart docker with live-restore: the containers do not notice',
  { skip },
  async (t) => {
    const before = await gaps();
    await machine.systemctl('restart', ENGINE);
    await work.goesOn(t, 'after a restart of the engine');
    await machine.systemctl('kill', '-s', 'KILL', '--kill-who=main', ENGINE);
    await work.goesOn(t, 'after SIGKILL of the engine');
    t.strictSame(
      (await gaps()).map((count, i) => count - (before[i] ?? 0)),
      [2, 2],
      'each is told once',
    );
  },
);

t.test('an engine that is stopped alone is back with the next look at it', { skip }, async (t) => {
  await machine.systemctl('stop', ENGINE);
  await eventually(
    'the engine to be woken by its socket',
    async () => (await machine.systemctl('is-active', ENGINE)).trim() === 'active',
    WAIT_MS,
  );
  await work.goesOn(t, 'after the engine was woken');
});

t.test(
  'without an engine: told by status and doctor, jobs wait, containers go on',
  { skip },
  async (t) => {
    await machine.systemctl('stop', 'docker.socket', ENGINE);
    await eventually(
      'the executor to be unhealthy',
      async () => (await host.status()).executors[0]?.health === 'unhealthy',
      WAIT_MS,
    );
    t.match(
      (await host.status()).degraded.join('\n'),
      /executor docker is unhealthy: .*no Docker engine at/,
    );
    const { code, stdout } = await machine.inside(['limpet', 'doctor']);
    t.equal(code, 1);
    t.match(stdout, /FAIL +docker engine +/);
    const job = await host.submit(batchJob(dockerTask('echo here')));
    await eventually(
      'the job to wait',
      async () => /docker/.test((await host.jobState(job)).message),
      WAIT_MS,
    );
    await machine.systemctl('restart', AGENT);
    await startEngine();
    t.equal((await host.ended(job)).state, 'Completed');
    await work.goesOn(t, 'when the engine is back');
  },
);

t.test('a restart of the engine without live-restore ends its containers', { skip }, async (t) => {
  await engine.liveRestore(false);
  const said = await machine.inside(['limpet', 'doctor']);
  t.match(said.stdout, /live-restore is off/);
  await machine.systemctl('restart', ENGINE);
  await hasEnded(t);
});

t.test('a reboot in order', { skip }, async (t) => {
  await engine.liveRestore(true);
  await work.start(['docker', 'docker service']);
  await machine.reboot();
  await hasEnded(t);
});

t.test('power is lost', { skip }, async (t) => {
  await work.start(['docker', 'docker service']);
  await machine.loseThePower();
  await hasEnded(t);
});

/** The batch job is lost, and nothing of what it has said; the service is in its next run, once. */
async function hasEnded(t: Test): Promise<void> {
  await host.linked();
  const [batch = '', service = ''] = work.jobs;
  const ended = await host.ended(batch);
  t.equal(ended.state, 'Failed');
  t.match(ended.message, /lost \(interrupted\)/);
  const text = await host.output(batch);
  const count = text.split('\n').length - 1;
  t.ok(count >= 3);
  t.equal(text, lines(count), 'every line once');
  const { id, run } = await host.running(service, 1);
  t.equal(run, 1, 'the service is in its next run');
  const running = await engine.running();
  t.strictSame(
    running.map((one) => one.split(' ').slice(0, 2)),
    [[id, '1']],
    'the only container that runs',
  );
  await host.limpet('job', 'stop', service);
}

/** Started for the fourth time in a minute it would be refused by its unit. */
async function startEngine(): Promise<void> {
  await machine.systemctl('reset-failed', ENGINE);
  await machine.systemctl('start', 'docker.socket', ENGINE);
}

/** Gaps that the log of each job of the work shows. */
function gaps(): Promise<number[]> {
  return Promise.all(
    work.jobs.map(async (job) => {
      const { stderr } = await machine.inside(['limpet', 'job', 'logs', job]);
      return stderr.split('[gap]').length - 1;
    }),
  );
}

async function pluginPid(): Promise<number> {
  return (await host.status()).executors.find(({ name }) => name === 'docker')?.pid ?? 0;
}

/** What RESULTS and the scripts here make. */
async function resultsOf(job: string): Promise<string[]> {
  const folder = `/root/results-${job}`;
  await host.limpet('job', 'get', '--output-dir', folder, job);
  const read = (name: string) => machine.sh(`cat "$(find ${folder} -name ${name})"`);
  return [await read('word'), await read('who')];
}

/** Installs the first release and starts the work; answers where the next one is. */
async function prepare(): Promise<string> {
  const folder = tempDir(t);
  const archive = await makeRelease(t, folder);
  const other = otherVersion(await unpack(archive, join(folder, 'r')), '0.1.1');
  await machine.copyIn(other, '/root');
  await machine.run(['mkdir', SHARED]);
  await engine.importImage();
  await host.install(archive);
  await work.start(['docker', 'docker service']);
  return `/root/${basename(other)}`;
}
