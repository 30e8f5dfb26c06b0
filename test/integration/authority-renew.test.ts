/** `limpet requester renew-certificates`, and the doctor that asks for it in time. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chownSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import {
  accountJwt,
  CLAIMS_UPDATE,
  keyOfSeed,
  SYSTEM_INBOX,
} from '../../adapters/authority/claims.ts';
import { runChecks } from '../../adapters/doctor/check.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { credsFile } from '../../adapters/nats/creds-file.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import { aboutSchema, filesOf } from '../../requester/authority/layout.ts';
import { initAuthority } from '../../requester/authority/init.ts';
import { renewCertificates, type RenewReport } from '../../requester/authority/renew.ts';
import { parseConfig } from '../../requester/config.ts';
import { brokerCertificateCheck } from '../../requester/doctor/broker-certificate.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { startAuthorityBroker, type AuthorityBroker } from '../kit/authority-broker.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { startDist } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(120_000);

const DAY_MS = 86_400_000;
const YEAR_MS = 365.25 * DAY_MS;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command. */
async function command(t: Teardown, folder: string, ...more: string[]): Promise<Ended> {
  const args = ['requester', 'renew-certificates', '--folder', folder, ...more];
  const program = await startDist(t, 'limpet', { args });
  const { code } = await program.waitForExit(60_000);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** What it does. */
function renew(folder: string, ...hosts: string[]): Promise<RenewReport> {
  return renewCertificates({ folder, hosts, dryRun: false, now: Date.now() });
}

/** An authority for broker.example, made so long ago. */
async function made(t: Teardown, { ageMs = 0, tls = true } = {}): Promise<string> {
  const folder = join(tempDir(t), 'authority');
  const hosts = tls ? ['broker.example', '192.0.2.7'] : [];
  await initAuthority({ folder, hosts, tls, port: 4222, dryRun: false, now: Date.now() - ageMs });
  return folder;
}

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const plain = files.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(plain.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function changed(before: Record<string, string>, after: Record<string, string>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}

function served(folder: string): X509Certificate {
  return new X509Certificate(readFileSync(filesOf(folder).serverCertificate));
}

function isPair(folder: string): boolean {
  return served(folder).checkPrivateKey(
    createPrivateKey(readFileSync(filesOf(folder).serverKey, 'utf8')),
  );
}

/** As the broker shows it to whoever connects. */
async function shownBy({ port, files }: AuthorityBroker): Promise<string> {
  const plain = connect({ host: '127.0.0.1', port });
  await once(plain, 'data');
  const ca = readFileSync(files.caCertificate);
  const secure = connectTls({ socket: plain, ca, host: '127.0.0.1' });
  await once(secure, 'secureConnect');
  const { fingerprint256 } = secure.getPeerCertificate();
  secure.destroy();
  return fingerprint256;
}

t.test('the certificate and its key are new, and nothing else', async (t) => {
  const folder = await made(t, { ageMs: 9.99 * YEAR_MS });
  const before = contents(folder);
  const told = await command(t, folder, '--dry-run', '--host', 'x.example');
  t.match(
    told.stdout,
    `would write ${folder}/tls/server.pem and its key, for x.example, localhost`,
  );
  t.strictSame(changed(before, contents(folder)), [], 'a dry run writes nothing');

  const { code, stdout, stderr } = await command(t, folder);
  t.equal(code, 0, stderr);
  t.strictSame(changed(before, contents(folder)), ['tls/server.key', 'tls/server.pem']);
  t.equal(statSync(filesOf(folder).serverKey).mode & 0o777, 0o600);
  t.equal(statSync(filesOf(folder).serverCertificate).mode & 0o777, 0o644);
  const shown = served(folder);
  t.equal(shown.verify(new X509Certificate(before['tls/ca.pem'] ?? '').publicKey), true);
  t.equal(isPair(folder), true);
  t.equal(
    shown.subjectAltName,
    'DNS:broker.example, IP Address:192.0.2.7, DNS:localhost, IP Address:127.0.0.1',
  );
  const left = Date.parse(shown.validTo) - Date.now();
  t.ok(left > 9.99 * YEAR_MS && left < 10.01 * YEAR_MS);
  t.match(stdout, 'for broker.example, 192.0.2.7, localhost, 127.0.0.1, until ');
  t.match(stdout, 'systemctl reload limpet-nats   (elsewhere: kill -HUP PID of nats-server)');
  t.notMatch(stdout, /loopback alone/);

  await renew(folder, 'new.example', '2001:db8::7');
  t.equal(served(folder).checkHost('new.example'), 'new.example');
  t.equal(served(folder).checkIP('2001:db8::7'), '2001:db8::7');
  t.equal(served(folder).checkIP('127.0.0.1'), '127.0.0.1');
  t.equal(served(folder).checkHost('broker.example'), undefined);
  await renew(folder);
  t.equal(served(folder).checkIP('2001:db8::7'), '2001:db8::7', 'kept');
});

t.test(
  'what a crash has left between key and certificate is mended by the next call',
  async (t) => {
    const [folder, stranger] = [await made(t), await made(t)];
    writeFileSync(filesOf(folder).serverKey, readFileSync(filesOf(stranger).serverKey));
    t.equal(isPair(folder), false);
    await renew(folder);
    t.equal(isPair(folder), true);
    t.equal(served(folder).checkHost('broker.example'), 'broker.example');
  },
);

t.test(
  "the new files are the broker's, as the old ones were",
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const folder = await made(t);
    const { serverKey } = filesOf(folder);
    chownSync(serverKey, 54_321, 54_322);
    await renew(folder);
    const { uid, gid, mode } = statSync(serverKey);
    t.strictSame({ uid, gid, mode: mode & 0o777 }, { uid: 54_321, gid: 54_322, mode: 0o600 });
  },
);

t.test('what cannot be renewed is told in one line, and nothing is changed', async (t) => {
  const whole = await made(t);
  const plain = await made(t, { tls: false });
  const old = await made(t, { ageMs: 30 * YEAR_MS - 29 * DAY_MS });
  const keyless = await made(t);
  rmSync(filesOf(keyless).caKey);
  const nameless = await made(t);
  rmSync(filesOf(nameless).serverCertificate);
  const empty = tempDir(t);
  for (const [folder, hosts, code, message] of [
    [empty, [], 'invalid-config', /authority\.json is missing; /],
    [plain, [], 'conflict', /has no TLS, so there is no certificate; /],
    [old, [], 'conflict', /ca\.pem\) is good until .* alone; make a new one with `limpet req/],
    [keyless, [], 'invalid-config', /tls\/ca\.key is missing; restore it from a copy$/],
    [nameless, [], 'invalid-argument', /server\.pem tells no names; name them with --host$/],
    [whole, ['no host'], 'invalid-argument', /--host 'no host' is neither a host name nor an a/],
  ] as const) {
    const before = contents(folder);
    await t.rejects(renew(folder, ...hosts), { code, message });
    t.strictSame(contents(folder), before);
  }
  const refused = await command(t, plain);
  t.match(refused, { code: 1, stdout: '', stderr: /^requester: the broker of .* has no TLS.*\n$/ });
  t.match(await command(t, whole, '--host', 'no host'), { code: 2, stderr: /^requester: --host/ });
});

t.test(
  'a broker takes it by a signal: nodes are back at once, and void keys stay void',
  { skip: natsServerSkip() },
  async (t) => {
    const broker = await startAuthorityBroker(t, { tls: true });
    const { url, folder, files } = broker;
    const servers = [url];
    const tls = () => ({ caFile: files.caCertificate });
    const node = await broker.credentials('n-node', 60_000);
    const transport = await connectTransport(
      { servers, name: 'node', inboxPrefix: '_INBOX.n-node', credentials: () => node, tls },
      silentLog,
    );
    t.teardown(() => transport[Symbol.asyncDispose]());
    const states: boolean[] = [];
    transport.onConnection((connected) => states.push(connected));

    const voided = await broker.credentials('n-void', 60_000);
    const isVoid = async (): Promise<boolean> => {
      const options = { servers, name: 'void', inboxPrefix: '_INBOX.n-void', tls };
      await using tried = await connectTransport(
        { ...options, credentials: () => voided },
        silentLog,
      );
      return !tried.connected;
    };
    t.equal(await isVoid(), false);
    await makeVoid(broker, keyOfSeed(voided.seed).publicKey);
    t.equal(await isVoid(), true);

    const before = await shownBy(broker);
    const { stdout } = await command(t, folder, '--host', 'broker.example');
    t.match(
      stdout,
      'the broker listens on loopback alone: for other hosts set host: "0.0.0.0" in ',
    );
    t.equal(await shownBy(broker), before, 'not yet');
    broker.signal('SIGHUP');
    const now = served(folder).fingerprint256;
    await eventually('the new certificate', async () => (await shownBy(broker)) === now);
    await eventually('the node to be back', () => states.join() === 'true,false,true');
    t.equal(await isVoid(), true);
  },
);

/** As the requester tells the broker. */
async function makeVoid({ url, files }: AuthorityBroker, publicKey: string): Promise<void> {
  await using system = await connectTransport(
    {
      ...{ servers: [url], name: 'system', inboxPrefix: SYSTEM_INBOX },
      credentials: credsFile(files.systemCreds),
      tls: () => ({ caFile: files.caCertificate }),
    },
    silentLog,
  );
  const { account, signing } = aboutSchema.parse(JSON.parse(readFileSync(files.about, 'utf8')));
  const revoked = { [publicKey]: Math.ceil(Date.now() / 1000) };
  const seed = readFileSync(files.operatorSigningKey, 'utf8');
  const claims = await accountJwt({ account, ...signing, revoked }, seed);
  await system.request(CLAIMS_UPDATE, Buffer.from(claims), 5_000);
}

async function doctor(authority: string): Promise<DoctorCheck | undefined> {
  const config = parseConfig({ authority }, 'the test');
  return (await runChecks([brokerCertificateCheck(config)]))[0];
}

t.test('the doctor asks for a new one 30 days before, and names the command', async (t) => {
  const folder = await made(t, { ageMs: 10 * YEAR_MS - 29 * DAY_MS });
  const warned = await doctor(folder);
  t.equal(warned?.result, 'warn');
  t.match(warned?.found, /tls\/server\.pem is for DNS:broker\.example, .*, until /);
  t.equal(warned?.fix, `limpet requester renew-certificates --folder ${folder}`);
  await renew(folder);
  t.equal((await doctor(folder))?.result, 'ok');

  t.equal((await doctor(await made(t, { ageMs: 10 * YEAR_MS + DAY_MS })))?.result, 'fail');
  t.equal((await doctor(await made(t, { tls: false })))?.result, 'skipped');
  const last = await doctor(await made(t, { ageMs: 30 * YEAR_MS - 29 * DAY_MS }));
  t.match(last, { result: 'warn', fix: /^make a new authority with limpet requester init/ });
});
