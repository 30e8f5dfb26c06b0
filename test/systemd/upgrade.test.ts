/** An agent in the docker and wasm profile, upgraded under work: forth, back, by releases that fail, and with the command killed. */
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { readRelease } from '../../cli/install/release.ts';
import { describe, edit, nameOf, otherVersion } from '../integration/install-kit.ts';
import { eventually } from '../kit/eventually.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { AGENT, Host } from '../kit/systemd/host.ts';
import { bootMachine } from '../kit/systemd/machine.ts';
import { SteadyWork } from '../kit/systemd/steady-work.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(880_000);

const WAIT_MS = 120_000;
const KEY = '/etc/limpet/keys/agent.nkey';

const machine = await bootMachine(t);
const { skip } = machine;
const host = new Host(machine);
const work = new SteadyWork(host);
const releases = skip === false ? await prepare() : undefined;

t.afterEach(async (t) => {
  if (!t.passing()) t.comment((await machine.journal(AGENT)).slice(-4000));
});

t.test('the key is for root alone; the service has it as a credential', { skip }, async (t) => {
  t.equal(await machine.run(['stat', '-c', '%U %a', KEY]), 'root 600\n');
  const read = await machine.inside(['cat', KEY], { user: 'limpet-agent' });
  t.not(read.code, 0);
  t.match(read.stderr, /Permission denied/);
  const pid = await machine.mainPid(AGENT);
  t.equal(await machine.run(['ps', '-o', 'user=', '-p', String(pid)]), 'limpet-agent\n');
  const folder = `/run/credentials/${AGENT}`;
  t.equal(await machine.run(['stat', '-c', '%U %a', `${folder}/nkey`]), 'limpet-agent 400\n');
  t.equal((await host.status()).link.state, 'linked', 'it has joined with it');
});

t.test('the exposure that systemd finds', { skip }, async (t) => {
  const text = await machine.run(['systemd-analyze', 'security', '--no-pager', AGENT]);
  t.ok(Number(/exposure level for \S+: ([\d.]+)/.exec(text)?.[1]) <= 3, text.slice(-200));
});

t.test('an upgrade: another version, the same work', { skip }, async (t) => {
  const said = await upgrade('next');
  t.equal(said.code, 0, said.stderr);
  await isAt(t, 'next');
  await work.goesOn(t, 'after an upgrade');
  t.match((await upgrade('next')).stdout, /runs already; nothing to do/);
});

t.test(
  'a release whose agent dies: the version before comes back by itself',
  { skip },
  async (t) => {
    const said = await upgrade('dying');
    t.equal(said.code, 1);
    t.match(said.stderr, /was not ready: .*; \S+ runs again/);
    await isAt(t, 'next');
    await work.goesOn(t, 'after an upgrade that failed');
  },
);

t.test('a release whose agent works, but never gets ready: the same', { skip }, async (t) => {
  const said = await upgrade('deaf', '15s');
  t.equal(said.code, 1);
  t.match(said.stderr, /was not ready: .*; \S+ runs again/);
  await isAt(t, 'next');
  await work.goesOn(t, 'after an upgrade that was never ready');
});

t.test(
  'SIGKILL of the command and of its unit in the middle: --resume ends it',
  { skip },
  async (t) => {
    const command = upgrade('deaf', '15s');
    await begun('deaf');
    await machine.inside(['pkill', '-KILL', '-f', 'agent upgrade']);
    t.not((await command).code, 0);
    await work.isAlive(t, 'while the upgrade is dead');
    const said = await machine.inside(['limpet', 'agent', 'upgrade', '--resume']);
    t.match(said.stderr, /was not ready: .*; \S+ runs again/);
    await isAt(t, 'next');
    await work.goesOn(t, 'after an upgrade that was killed');
  },
);

t.test(
  'SIGKILL of the command alone: the upgrade goes on; back to the first version',
  { skip },
  async (t) => {
    const command = upgrade('first');
    await begun('first');
    await machine.inside(['pkill', '-KILL', '-f', 'agent upgrade /root']);
    t.not((await command).code, 0);
    await eventually('the upgrade to end', () => isOver(), WAIT_MS);
    const said = await machine.run(['limpet', 'agent', 'upgrade', '--resume']);
    t.match(said, new RegExp(`limpet ${name('first')} runs`));
    await isAt(t, 'first');
    await work.goesOn(t, 'after the way back');
  },
);

t.test(
  'the versions in use and the one before are kept, the others are not',
  { skip },
  async (t) => {
    const kept = (await machine.run(['ls', '/opt/limpet/versions'])).trim().split('\n');
    t.strictSame(kept, [name('first'), name('next')].sort());
  },
);

t.test(
  'uninstall --purge ends the work as its own user, and leaves nothing',
  { skip },
  async (t) => {
    const said = await machine.inside(['limpet', 'uninstall', '--purge']);
    t.equal(said.code, 0, said.stderr);
    t.notMatch(await machine.run(['ps', '-e', '-o', 'args=']), /\/(opt|var\/lib)\/limpet/);
    const left = 'ls -d /opt/limpet /etc/limpet /var/lib/limpet; getent passwd | grep ^limpet';
    t.equal((await machine.inside(['sh', '-c', `(${left}) 2>/dev/null`])).stdout, '');
    t.notMatch(await machine.run(['ls', '/etc/systemd/system', '/usr/local/bin']), /limpet/);
  },
);

/** Installs the first release and starts the work. */
async function prepare() {
  const folder = tempDir(t);
  const archive = await makeRelease(t, folder);
  const first = await unpack(archive, join(folder, 'r'));
  const next = otherVersion(first, '0.1.1');
  const dying = otherVersion(first, '0.1.2');
  const deaf = otherVersion(first, '0.1.3');
  change(dying, `if (!process.argv.includes('--help')) process.exit(3);`);
  change(deaf, 'delete process.env.NOTIFY_SOCKET;');
  for (const one of [next, dying, deaf]) await machine.copyIn(one, '/root');
  await host.install(archive);
  await work.start(['wasm']);
  return { first, next, dying, deaf };
}

/** Its agent does this before all else. */
function change(release: string, line: string): void {
  edit(join(release, 'dist/agent.cjs'), (text) => text.replace('\n', `\n${line}\n`));
  describe(release, readRelease(release));
}

type Name = 'first' | 'next' | 'dying' | 'deaf';

function at(release: Name): string {
  if (releases === undefined) throw new Error('there is no machine');
  return releases[release];
}

/** VERSION-BUILD */
function name(release: Name): string {
  return nameOf(at(release));
}

function upgrade(release: Name, timeout = '60s') {
  const args = ['agent', 'upgrade', `/root/${basename(at(release))}`, '--timeout', timeout];
  return machine.inside(['limpet', ...args], { timeoutMs: 300_000 });
}

async function current(): Promise<string> {
  return (await machine.run(['readlink', '/opt/limpet/current'])).trim();
}

/** Waits until an upgrade has swapped the version and is about to restart the services. */
function begun(release: Name): Promise<unknown> {
  return eventually(
    `the upgrade to ${release} to be in its middle`,
    async () => (await current()) === `versions/${name(release)}`,
    WAIT_MS,
  );
}

async function isOver(): Promise<boolean> {
  return /"phase": "over"/.test(await machine.run(['cat', '/opt/limpet/upgrade.json']));
}

async function isAt(t: Test, release: Name): Promise<void> {
  t.equal(await current(), `versions/${name(release)}`);
  const { version } = readRelease(at(release));
  t.equal((await host.linked()).version, version);
  t.equal(await host.limpet('--version'), `${version}\n`);
}
