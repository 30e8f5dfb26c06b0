/** `limpet requester init` makes what a broker and a requester start with, once, and keeps it. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { parseConfig } from '../../requester/config.ts';
import { transportOptions } from '../../requester/transport.ts';
import { startAuthorityBroker } from '../kit/authority-broker.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { distPath } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function init(...args: string[]): Promise<Ended> {
  const command = [distPath('requester.js'), '--init', ...args];
  return promisify(execFile)(process.execPath, command).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (failed: Ended) => failed,
  );
}

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    files
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

t.test(
  'init makes keys that only their owner reads, and a second call changes nothing',
  async (t) => {
    const folder = join(tempDir(t), 'made/authority');
    const first = await init('--folder', folder, '--host', 'broker.example', '--host', '192.0.2.7');
    t.equal(first.code, 0, first.stderr);
    const made = contents(folder);
    t.strictSame(Object.keys(made), [
      ...['account.jwt', 'agents.nk', 'authority.json', 'joins.nk', 'nats-server.conf'],
      ...['offline/account.nk', 'offline/operator.nk', 'operator-signing.nk', 'requester.creds'],
      ...['system.creds', 'tls/ca.key', 'tls/ca.pem', 'tls/server.key', 'tls/server.pem'],
    ]);
    for (const name of Object.keys(made)) {
      t.ok(first.stdout.includes(`wrote ${folder}/${name}\n`), `${name} is named`);
      const wanted = /\.(nk|creds|key)$/.test(name) ? '600' : name.endsWith('.pem') ? '644' : '640';
      t.equal(mode(join(folder, name)), wanted, name);
    }
    for (const name of ['', 'offline', 'tls']) t.equal(mode(join(folder, name)), '700');
    const secrets = Object.values(made).flatMap((text) => text.match(/S[OAU][A-Z2-7]{56}/g) ?? []);
    t.equal(secrets.length, 7);
    for (const secret of secrets) t.notOk(first.stdout.includes(secret), 'no secret is printed');
    const again = await init('--folder', folder, '--no-tls');
    t.equal(again.stdout, `the authority in ${folder} is there already; nothing was changed\n`);
    t.strictSame(contents(folder), made);
    t.match(made['nats-server.conf'], /^host: "0\.0\.0\.0"$/m, 'it is reached from other hosts');
  },
);

t.test('the certificate is for the names that were told, and for this host', async (t) => {
  const folder = join(tempDir(t), 'authority');
  await init('--folder', folder, '--host', 'broker.example', '--host', '192.0.2.7');
  const server = new X509Certificate(readFileSync(join(folder, 'tls/server.pem')));
  const ca = new X509Certificate(readFileSync(join(folder, 'tls/ca.pem')));
  t.equal(server.verify(ca.publicKey), true);
  t.equal(server.checkIssued(ca), true);
  for (const name of ['broker.example', 'localhost']) t.equal(server.checkHost(name), name);
  for (const address of ['192.0.2.7', '127.0.0.1']) t.equal(server.checkIP(address), address);
  t.equal(server.checkHost('other.example'), undefined);
  t.equal(ca.ca, true);
  t.equal(server.ca, false);
  const years = (Date.parse(server.validTo) - Date.now()) / (365 * 86_400_000);
  t.ok(years > 9 && years < 11, `${years} years`);
});

t.test('a dry run writes nothing, and says what it would', async (t) => {
  const folder = join(tempDir(t), 'authority');
  const { stdout } = await init('--folder', folder, '--dry-run');
  t.match(stdout, new RegExp(`^would write ${folder}/offline/operator.nk\n`));
  t.throws(() => statSync(folder), { code: 'ENOENT' });
});

t.test('what is in the way, and what was said wrongly, is told in one line', async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'mine'), 'mine');
  const taken = await init('--folder', folder);
  t.equal(
    taken.stderr,
    `requester: ${folder} is there and is no authority; name another folder, or remove it\n`,
  );
  t.equal(taken.code, 1);
  t.strictSame(contents(folder), { mine: 'mine' });
  const odd = await init('--folder', join(folder, 'a'), '--host', 'no host');
  t.match(odd, { code: 2, stderr: "requester: --host 'no host' is neither a host name nor" });
  const port = await init('--folder', join(folder, 'a'), '--port', '0');
  t.match(port, { code: 2, stderr: "requester: --port is '0'; expected 1 to 65535\n" });
  t.strictSame(readdirSync(folder), ['mine'], 'nothing is left of it');
});

t.test('an empty folder that was made for it is taken', async (t) => {
  const folder = join(tempDir(t), 'authority');
  mkdirSync(folder);
  t.equal((await init('--folder', folder)).code, 0);
  t.equal(Object.keys(contents(folder)).length, 10);
  const config = contents(folder)['nats-server.conf'];
  t.match(config, /^host: "127\.0\.0\.1"$/m, 'no other host was named: none reaches it');
});

t.test(
  'nats-server starts with the configuration as it was printed, and the requester reaches it',
  { skip: natsServerSkip() },
  async (t) => {
    for (const tls of [true, false]) {
      const broker = await startAuthorityBroker(t, { tls });
      const config = { authority: broker.folder, nats: { servers: [broker.url] } };
      const options = transportOptions(parseConfig(config, 'the test'));
      const transport = await connectTransport(options, silentLog);
      t.equal(transport.connected, true, `tls: ${tls}`);
      await transport[Symbol.asyncDispose]();
      const { credentials: _none, ...unknown } = options;
      const stranger = await connectTransport(unknown, silentLog);
      t.equal(stranger.connected, false, 'without credentials nobody is let in');
      await stranger[Symbol.asyncDispose]();
    }
  },
);
