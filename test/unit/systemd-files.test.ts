/** The units in deploy/: what the work depends on, and the exposure that docs/security.md states. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { tempDir } from '../kit/temp-dir.ts';

const execute = promisify(execFile);
const DEPLOY = new URL('../../deploy/', import.meta.url);
const SERVICES = ['agent', 'requester', 'nats'] as const;
type Service = (typeof SERVICES)[number];
const PROFILE = 'limpet-agent.service.d/process.conf';

function read(file: string): string {
  return readFileSync(new URL(file, DEPLOY), 'utf8');
}

/** Every value of a directive, in order. */
function values(file: string, name: string): string[] {
  return read(file)
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));
}

function value(service: Service, name: string): string | undefined {
  return values(`limpet-${service}.service`, name).at(-1);
}

t.test("the agent's unit leaves plugins and runs alone", (t) => {
  const wanted = {
    KillMode: 'process',
    OOMPolicy: 'continue',
    Delegate: 'yes',
    TasksMax: 'infinity',
    PrivateUsers: undefined,
    ProtectProc: undefined,
    RemoveIPC: undefined,
    RuntimeDirectory: undefined,
  };
  const found = Object.keys(wanted).map((name) => [name, value('agent', name)]);
  t.strictSame(Object.fromEntries(found), wanted);
  t.end();
});

t.test('no unit is given up, and a wrong config is not tried again', (t) => {
  for (const service of SERVICES) {
    t.equal(value(service, 'StartLimitIntervalSec'), '0', service);
    t.equal(value(service, 'Restart'), 'on-failure', service);
  }
  t.equal(value('agent', 'RestartPreventExitStatus'), '2');
  t.equal(value('requester', 'RestartPreventExitStatus'), '2');
  t.end();
});

t.test('the word of systemd-notify counts, and the watchdog is on', (t) => {
  for (const service of ['agent', 'requester'] as const) {
    t.equal(value(service, 'Type'), 'notify', service);
    t.equal(value(service, 'NotifyAccess'), 'all', service);
    t.equal(value(service, 'WatchdogSec'), '30', service);
  }
  t.end();
});

t.test('Node can run in them', (t) => {
  for (const service of ['agent', 'requester'] as const) {
    t.equal(value(service, 'MemoryDenyWriteExecute'), undefined, `${service}: V8 compiles`);
    t.equal(value(service, 'SystemCallErrorNumber'), 'EPERM', `${service}: no call kills it`);
    const [filter] = values(`limpet-${service}.service`, 'SystemCallFilter');
    t.equal(filter, '@system-service @pkey', service);
  }
  t.end();
});

t.test('the profile for commands gives them a /tmp that survives a restart', (t) => {
  t.strictSame(values(PROFILE, 'PrivateTmp'), ['no']);
  t.strictSame(values(PROFILE, 'ReadWritePaths'), ['/tmp /var/tmp']);
  t.strictSame(values(PROFILE, 'User'), ['root']);
  t.end();
});

const lacking = await missing();

t.test('systemd finds nothing wrong in them', { skip: lacking ?? false }, async (t) => {
  for (const service of SERVICES) {
    const file = installed(t, service);
    // It knows the programs of this machine, not those of an installed one.
    const { stderr } = await execute('systemd-analyze', ['verify', '--man=no', file]);
    const own = stderr.split('\n').filter((line) => line.includes(file));
    t.strictSame(own, [], service);
  }
});

t.test('their exposure is what docs/security.md says', { skip: lacking ?? false }, async (t) => {
  const docs = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const cases = [
    ['limpet-requester', installed(t, 'requester')],
    ['limpet-nats', installed(t, 'nats')],
    ['limpet-agent', installed(t, 'agent')],
    ['limpet-agent with `process.conf`', withProfile(t)],
  ] as const;
  for (const [name, file] of cases) {
    const { stdout } = await execute('systemd-analyze', [
      ...['security', '--offline=true', '--no-pager'],
      file,
    ]).catch((thrown: unknown) => outputOf(thrown));
    const exposure = /Overall exposure level for \S+: (\d+\.\d)/.exec(stdout)?.[1];
    const stated = docs.split('\n').find((line) => line.startsWith(`| ${name} `));
    t.match(stated, new RegExp(`\\| ${exposure} `), `${name}: ${exposure}`);
  }
});

function installed(t: Test, service: Service): string {
  const file = join(tempDir(t), `limpet-${service}.service`);
  const text = read(`limpet-${service}.service`)
    .replaceAll('@NODE@', process.execPath)
    .replaceAll('@PREFIX@', '/opt/limpet')
    .replaceAll('ExecStart=nats-server', `ExecStart=${process.execPath}`);
  writeFileSync(file, text);
  return file;
}

function withProfile(t: Test): string {
  const file = installed(t, 'agent');
  mkdirSync(`${file}.d`);
  cpSync(new URL(PROFILE, DEPLOY), `${file}.d/10-process.conf`);
  return file;
}

/** It ends with 1 above its own threshold. */
function outputOf(thrown: unknown): { readonly stdout: string } {
  const stdout = thrown instanceof Error && 'stdout' in thrown ? thrown.stdout : '';
  return { stdout: String(stdout) };
}

/** The weights are those of one version; `--offline` came with 250. */
async function missing(): Promise<string | undefined> {
  try {
    const { stdout } = await execute('systemd-analyze', ['--version']);
    const [, version] = stdout.split(' ');
    return version === '252' ? undefined : `the figures are those of systemd 252, not ${version}`;
  } catch {
    return 'there is no systemd-analyze here';
  }
}
