import { createUser } from '@nats-io/nkeys';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { difference } from '../../cli/install/show.ts';
import { isOlder } from '../../cli/install/node-program.ts';
import { checkMachine } from '../../cli/install/open-host.ts';
import { formatJoinToken } from '../../wire/join-token.ts';
import { distPath } from '../kit/program.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';
import { readRelease } from '../../cli/install/release.ts';
import { describe, edit, InstalledHost, nameOf, otherVersion } from './install-kit.ts';

t.setTimeout(300_000);

const folder = tempDir(t);
const release = await unpack(await makeRelease(t, folder), folder);
const JOIN = ['--join', 'tls://broker.example:4222'];

function emptyHost(t: Teardown): InstalledHost {
  return new InstalledHost(t, join(tempDir(t), 'root'));
}

function token(): string {
  const seed = new TextDecoder().decode(createUser().getSeed());
  return formatJoinToken({ id: 'jt-abcdef123456', jwt: 'e30.e30.e30', seed });
}

function mode(host: InstalledHost, path: string): string {
  return (statSync(host.at(path)).mode & 0o777).toString(8);
}

/** What was asked of services, questions left out. */
function calls(host: InstalledHost): string[] {
  const all = host.text('run/systemctl/calls').trim().split('\n');
  return all.filter((call) => /^(stop|disable) /.test(call));
}

t.test('--dry-run shows every file and no secret, and changes nothing', async (t) => {
  const host = emptyHost(t);
  const secret = token();
  const program = await host.run(
    release,
    ...['install', 'agent', ...JOIN, '--token', secret, '--label', 'zone=a', '--dry-run'],
  );
  t.equal(program.exit?.code, 0, program.stderr);
  t.same(readdirSync(host.root), ['run'], 'the services were asked, and nothing else was done');
  const shown = program.stdout;
  t.notOk(shown.includes(secret));
  t.ok(
    shown.includes('/etc/limpet/keys/join.token: would write, mode 600, root:root\n    (secret)'),
  );
  t.match(
    shown,
    /\n {4}ExecStart=\/\S+ --max-semi-space-size=2 --single-threaded-gc \/opt\/limpet\/current\/dist\/agent\.js/,
  );
  t.match(shown, /\n {10}"tls:\/\/broker\.example:4222"\n/);
  for (const path of [
    '/opt/limpet/current',
    '/usr/local/bin/limpet',
    '/etc/limpet/keys/agent.nkey',
  ])
    t.ok(shown.includes(`\n${path}: would `), path);
});

t.test('an agent is installed once; a second time has nothing to do', async (t) => {
  const host = emptyHost(t);
  const order = ['install', 'agent', ...JOIN, '--token', token(), '--no-start'];
  const first = await host.run(release, ...order);
  t.equal(first.exit?.code, 0, first.stderr);
  t.equal(readlinkSync(host.at('opt/limpet/current')), `versions/${nameOf(release)}`);
  t.equal(readlinkSync(host.at('usr/local/bin/limpet')), '/opt/limpet/current/bin/limpet');
  t.ok(existsSync(host.at('opt/limpet/current/dist/agent.cache')), 'compiled here');
  t.match(host.text('etc/limpet/keys/agent.nkey'), /^SU[A-Z2-7]{56}\n$/);
  t.equal(mode(host, 'etc/limpet/keys'), '700');
  t.equal(mode(host, 'etc/limpet/keys/agent.nkey'), '600');
  t.equal(mode(host, 'etc/limpet/keys/join.token'), '600');
  t.equal(mode(host, 'etc/limpet/agent.config.json'), '640');
  const unit = host.text('etc/systemd/system/limpet-agent.service');
  t.notMatch(unit, /@[A-Z]+@/);
  t.notMatch(unit, /^SupplementaryGroups=docker$/m, 'there is no such group');
  t.notMatch(unit, /CAP_DAC_OVERRIDE/, 'what containers write is not there either');
  t.equal(host.text('run/systemctl/calls').match(/^enable limpet-agent/m)?.length, 1);
  t.notMatch(host.text('run/systemctl/calls'), /^(re)?start/m);

  const key = host.text('etc/limpet/keys/agent.nkey');
  const second = await host.run(release, ...order);
  t.same(
    second.stdout.split('\n').filter((line) => line !== '' && !line.endsWith(': nothing to do')),
    [],
  );
  t.equal(host.text('etc/limpet/keys/agent.nkey'), key, 'it stays who it is');
  const joinToken = host.text('etc/limpet/keys/join.token');
  await host.run(release, 'install', 'agent', '--no-start');
  t.equal(host.text('etc/limpet/keys/join.token'), joinToken, 'and so does its token');
});

t.test('settings of the command line come into a configuration that loses nothing', async (t) => {
  const host = emptyHost(t);
  const config = {
    nats: { servers: ['nats://old:4222'], user: 'u', password: 'hush', requestTimeoutMs: 9000 },
    labels: { old: '1' },
    executors: { process: { config: { user: 'worker' } } },
    keepFinishedCount: 5,
  };
  host.write('etc/limpet/agent.config.json', config);
  mkdirSync(host.at('etc'), { recursive: true });
  writeFileSync(host.at('etc/group'), 'docker:x:777:\n');
  const order = ['install', 'agent', ...JOIN, '--label', 'new=2', '--name', 'n1', '--process'];
  const shown = await host.run(release, ...order, '--no-start', '--dry-run');
  t.match(shown.stdout, /\n {4}\+ {7}"tls:\/\/broker\.example:4222"\n/);
  t.notMatch(shown.stdout, /hush/);
  const done = await host.run(release, ...order, '--no-start');
  t.equal(done.exit?.code, 0, done.stderr);
  t.strictSame(host.json('etc/limpet/agent.config.json'), {
    ...config,
    nats: { ...config.nats, servers: ['tls://broker.example:4222'] },
    labels: { old: '1', new: '2' },
    name: 'n1',
    executors: { process: { config: { user: 'worker' }, enabled: true } },
  });
  const units = 'etc/systemd/system/limpet-agent.service';
  t.match(host.text(units), /^SupplementaryGroups=docker$/m);
  t.match(host.text(units), /^AmbientCapabilities=CAP_DAC_OVERRIDE$/m);
  t.match(host.text(`${units}.d/10-process.conf`), /^User=root$/m);

  const text = host.text('etc/limpet/agent.config.json');
  await host.run(release, 'install', 'agent', '--no-start');
  t.equal(host.text('etc/limpet/agent.config.json'), text, 'nothing asked, nothing changed');
  t.ok(existsSync(host.at(`${units}.d/10-process.conf`)), 'the profile stays');
});

t.test('a requester is installed with an authority, whose keys a second time keeps', async (t) => {
  const host = emptyHost(t);
  const order = ['install', 'requester', '--nats', '--host', 'r.example', '--no-start'];
  const first = await host.run(release, ...order);
  t.equal(first.exit?.code, 0, first.stderr);
  t.match(
    first.stderr,
    /limpet install agent --join tls:\/\/r\.example:4222 --token-file join\.token/,
  );
  t.has(host.json('etc/limpet/requester.config.json'), {
    authority: '/etc/limpet/authority',
    nats: { servers: ['tls://127.0.0.1:4222'] },
  });
  const broker = host.text('etc/limpet/authority/nats-server.conf');
  t.notOk(broker.includes(host.root), 'paths as the host sees them');
  t.match(broker, /dir: "\/var\/lib\/limpet\/nats"/);
  for (const secret of ['operator-signing.nk', 'agents.nk', 'requester.creds', 'tls/server.key'])
    t.equal(mode(host, `etc/limpet/authority/${secret}`), '600', secret);
  t.equal(mode(host, 'etc/limpet/authority/offline'), '700');

  const second = await host.run(release, ...order);
  t.same(
    second.stdout.split('\n').filter((line) => line !== '' && !line.endsWith(': nothing to do')),
    [],
  );
  t.equal(host.text('etc/limpet/authority/nats-server.conf'), broker);
});

t.test(
  'uninstall takes away what was installed, names what it leaves, and nothing else',
  async (t) => {
    const host = emptyHost(t);
    await host.run(release, 'install', 'agent', ...JOIN, '--process', '--no-start');
    const executors = { process: { enabled: true, config: { user: 'nobody' } } };
    t.has(host.json('etc/limpet/agent.config.json'), { executors }, 'commands run as nobody');
    const pluginDir = '/usr/local/lib/limpet/plugins';
    t.has(host.json('etc/limpet/agent.config.json'), { pluginDir });
    t.equal(statSync(host.at(pluginDir.slice(1))).mode & 0o777, 0o755);
    host.write('usr/local/lib/limpet/plugins/mine', {});
    await host.run(release, 'install', 'requester', '--no-start');
    writeFileSync(host.at('etc/limpet/mine'), '');
    host.write('var/lib/limpet/agent/work', {});
    host.write('var/lib/limpet/requester/jobs', {});
    const one = await host.run(release, 'uninstall', 'requester');
    t.match(calls(host), [/^stop limpet-requester/, /^disable limpet-requester/]);
    t.match(one.stderr, /^to remove that as well: rm -r \/etc\/limpet\/requester\.config\.json /m);
    t.notOk(existsSync(host.at('etc/systemd/system/limpet-requester.service')));
    t.ok(existsSync(host.at('opt/limpet/current/bin/limpet')), 'the agent needs it');
    t.ok(existsSync(host.at('etc/systemd/system/limpet-agent.service')));

    const all = await host.run(release, 'uninstall', '--purge');
    t.equal(all.exit?.code, 0, all.stderr);
    t.match(calls(host).slice(2), [/^stop limpet-agent/, /^disable limpet-agent/]);
    t.same(readdirSync(host.at('var/lib/limpet')), ['requester'], 'what was left stays');
    t.same(readdirSync(host.at('etc/limpet')).sort(), [
      'authority',
      'mine',
      'requester.config.json',
    ]);
    t.same(readdirSync(host.at('opt')), []);
    t.same(readdirSync(host.at('usr/local/bin')), []);
    t.same(readdirSync(host.at(pluginDir.slice(1))), ['mine'], "an operator's program stays");
    t.same(readdirSync(host.at('etc/systemd/system')), []);
    const again = await host.run(release, 'uninstall');
    t.equal(again.exit?.code, 0);
    t.equal(again.stderr, 'limpet is not installed here; nothing to do\n');
  },
);

t.test('what cannot be is refused in one line, before anything is changed', async (t) => {
  const host = emptyHost(t);
  const refused = async (from: string, expected: RegExp, ...args: string[]): Promise<void> => {
    const program = await host.run(from, 'install', 'agent', ...args);
    t.not(program.exit?.code, 0);
    t.match(program.stderr, expected);
    t.equal(program.stderr.trim().split('\n').length, 1, program.stderr);
    t.notOk(existsSync(host.at('opt')));
  };
  await refused(release, /^error: --join is missing: the URL of the broker/);
  await refused(release, /^error: --join http:\/\/x: expected nats:/, '--join', 'http://x');
  await refused(release, /^error: the join token is not one; (?!.*abc)/, ...JOIN, '--token', 'abc');
  const node18 = join(folder, 'node18');
  writeFileSync(
    node18,
    `#!/bin/sh\necho '{"version":"18.20.4","arch":"${process.arch}","glibc":true}'\n`,
  );
  chmodSync(node18, 0o755);
  await refused(
    release,
    /^error: Node 18\.20\.4 of .*: expected >=20\.11$/m,
    ...JOIN,
    '--node',
    node18,
  );
  const foreign = otherVersion(release, '0.1.5');
  describe(foreign, { ...readRelease(foreign), arch: 's390x' });
  await refused(foreign, /^error: this release is for s390x, and .* is a Node for /, ...JOIN);
  const damaged = otherVersion(release, '0.1.6');
  edit(join(damaged, 'dist/requester.js'), (text) => `${text} `);
  const said = await host.run(damaged, 'install', 'agent', ...JOIN);
  t.match(said.stderr, /^error: .* is damaged: its files make build [0-9a-f]{12}, /);
  t.same(readdirSync(host.at('opt/limpet/versions')), []);
  const checkout = join(distPath('limpet.js'), '../..');
  const source = await emptyHost(t).run(checkout, 'install', 'agent', ...JOIN);
  t.match(source.stderr, /^error: this limpet is no release: `npm run release` makes one/);
});

t.test('a limpet command of somebody else stays', async (t) => {
  const host = emptyHost(t);
  mkdirSync(host.at('usr/local/bin'), { recursive: true });
  writeFileSync(host.at('usr/local/bin/limpet'), 'theirs');
  const program = await host.run(release, 'install', 'agent', ...JOIN, '--no-start');
  t.equal(program.exit?.code, 1);
  t.match(
    program.stderr,
    /\/usr\/local\/bin\/limpet is there and not ours \(no link\); move it away/,
  );
  t.equal(host.text('usr/local/bin/limpet'), 'theirs');
  t.notOk(existsSync(host.at('opt')));
});

t.test('who is not root, or has no systemd, is told what to do', async (t) => {
  const refusal = (order: object, isRoot: boolean, isBooted: boolean): string => {
    try {
      checkMachine(order, { isRoot, isBooted });
      return 'fine';
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : '';
    }
  };
  t.match(refusal({}, false, true), /^this needs root: run it with sudo/);
  t.match(refusal({}, true, false), /^systemd does not run this machine.*--no-start/);
  t.equal(refusal({ start: false }, true, false), 'fine');
  t.equal(refusal({ dryRun: true }, false, false), 'fine');
  t.equal(refusal({}, true, true), 'fine');
});

t.test('versions of Node are compared as numbers', async (t) => {
  const older = ['18.20.4', '20.9.0', '20.10.9'].filter((version) => !isOlder(version, '>=20.11'));
  t.same(older, []);
  const newer = ['20.11.0', '20.100.0', '22.0.0'].filter((version) => isOlder(version, '>=20.11'));
  t.same(newer, []);
});

t.test('a difference shows what goes, comes and stays', async (t) => {
  t.same(difference(['a', 'b', 'c'], ['a', 'x', 'c', 'd']), ['  a', '- b', '+ x', '  c', '+ d']);
});
