/** What the doctor says of a broker, a store, a disk and a requester's files that are not as they should be. */
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { issueServer, makeAuthority } from '../../adapters/authority/certificate.ts';
import { brokerFinding, permissionFinding, type BrokerSeen } from '../../adapters/doctor/broker.ts';
import { runChecks, type Check } from '../../adapters/doctor/check.ts';
import { diskRoom } from '../../adapters/doctor/disk.ts';
import { storeCheck } from '../../adapters/doctor/store-files.ts';
import { continuityOps } from '../../adapters/store/continuity.ts';
import { openStore } from '../../adapters/store/level-store.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseConfig } from '../../requester/config.ts';
import { apiCheck, tlsCheck, tokenCheck } from '../../requester/doctor/api.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(60_000);

const DAY_MS = 86_400_000;

/** `result: found` */
async function told(check: Check): Promise<string> {
  const [{ result, found } = { result: 'none', found: '' }] = await runChecks([check]);
  return `${result}: ${found}`;
}

t.test('what a broker lets a node do is named, too much as well as too little', async (t) => {
  const [own, foreign] = ['node.compute.n-a.Doctor/v1', 'node.compute.n-b.Doctor/v1'];
  const judge = (seen: Partial<BrokerSeen>, server = 'tls://broker.example:4222') =>
    permissionFinding(
      { connected: true, detail: '', denied: [], ...seen },
      {
        ...{ own: [own], foreign, ask: { subject: 'ask', payload: new Uint8Array() } },
        options: { servers: [server], name: 'test', inboxPrefix: '_INBOX.n-a' },
      },
    );
  t.equal(judge({ denied: [foreign] }).result, 'ok');
  t.has(judge({}), {
    result: 'warn',
    found: 'own subjects allowed, and those of every other node too',
  });
  t.equal(judge({}, 'nats://127.0.0.1:4222').result, 'ok', 'on loopback nobody else is there');
  t.has(judge({ denied: [own, foreign] }), { result: 'fail', found: `the broker refuses ${own}` });
  const error = new LimpetError('permission-denied', 'no');
  t.has(judge({ denied: [foreign], error }), { result: 'fail', found: 'the broker refuses ask' });
  t.equal(judge({ connected: false }).result, 'skipped');

  const reached = (detail: string, connected = false) =>
    brokerFinding({ connected, detail, denied: [] }, false);
  t.equal(reached('connected', true).result, 'ok');
  t.match(reached('permission-denied: no'), { result: 'fail', fix: /limpet node token create/ });
  t.match(reached('refuses connections'), { result: 'fail', fix: /its port is open/ });
});

function ofStore(
  folder: string,
  more: { generation?: number; schemaVersion?: number } = {},
): Check {
  const { generation = 1, schemaVersion = 1 } = more;
  return storeCheck({
    ...{ folder, schemaVersion, running: false },
    generation: () => Promise.resolve(generation),
    describe: () => Promise.resolve('described'),
  });
}

t.test(
  'a store that is empty, held by another, or of a newer program is told as that',
  async (t) => {
    const root = tempDir(t);
    const folder = join(root, 'store');
    t.match(await told(ofStore(folder)), /^skipped: there is none/);
    const store = await openStore({ folder, createIfMissing: true, schemaVersion: 2 });
    await store.batch(continuityOps(1, []));
    t.equal(
      await told(ofStore(folder, { schemaVersion: 2 })),
      `fail: process ${process.pid} holds its lock, and no program answers`,
    );
    await store[Symbol.asyncDispose]();
    const before = readdirSync(folder);
    t.match(await told(ofStore(folder, { schemaVersion: 2 })), /^ok: readable, .*described$/);
    t.match(await told(ofStore(folder, { schemaVersion: 1 })), /^fail: /, 'written by a newer one');
    t.match(
      await told(ofStore(folder, { schemaVersion: 2, generation: 9 })),
      /^warn: .* older copy/,
    );
    t.strictSame(readdirSync(folder), before, 'it looks at a copy');
    const empty = tempDir(t);
    t.match(await told(ofStore(empty, { generation: 0 })), /^ok: empty/);
    t.match(
      await told(ofStore(empty, { generation: 3 })),
      /^fail: .* it was opened 3 times before$/,
    );
  },
);

t.test('a disk with less room than is wanted fails', async (t) => {
  const folder = join(tempDir(t), 'not', 'there', 'yet');
  t.match(await told(diskRoom(folder, Number.MAX_SAFE_INTEGER)), /^fail: .* are wanted$/);
  t.match(await told(diskRoom(folder, 0)), /^(ok|warn): /);
});

t.test('a token that others may read fails', async (t) => {
  const folder = tempDir(t);
  t.match(await told(tokenCheck(folder)), /^ok: none yet/);
  writeFileSync(join(folder, 'token'), 'secret\n');
  for (const [mode, wanted] of [
    [0o600, /^ok: /],
    [0o640, /^fail: others may read /],
    [0o604, /^fail: others may read /],
  ] as const) {
    chmodSync(join(folder, 'token'), mode);
    t.match(await told(tokenCheck(folder)), wanted, mode.toString(8));
  }
});

async function ofCertificate(t: Test, days: number, keyMode = 0o600): Promise<string> {
  const folder = tempDir(t);
  const validity = { from: Date.now() - 9 * DAY_MS, until: Date.now() + days * DAY_MS };
  const { certificate, key } = await issueServer(
    await makeAuthority('test', validity),
    ['api.example'],
    validity,
  );
  const [certFile, keyFile] = [join(folder, 'server.pem'), join(folder, 'server.key')];
  writeFileSync(certFile, certificate);
  writeFileSync(keyFile, key);
  chmodSync(keyFile, keyMode);
  return told(tlsCheck(parseConfig({ http: { tls: { certFile, keyFile } } }, 'the test')));
}

t.test(
  'a certificate is told before it ends, and when it has; its key is its owner’s',
  async (t) => {
    t.match(await ofCertificate(t, 60), /^ok: .* is for DNS:api\.example, until /);
    t.match(await ofCertificate(t, 20), /^warn: /);
    t.match(await ofCertificate(t, -1), /^fail: /);
    t.match(await ofCertificate(t, 60, 0o644), /^fail: everybody may read /);
  },
);

t.test('a port of the API that somebody else has is found', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const config = parseConfig({ http: { port } }, 'the test');
  const seen = (url: string, reason = '') => ({ answers: false, url, reason });
  t.match(await told(apiCheck(config, seen(''))), /^fail: another program listens on /);
  t.match(
    await told(apiCheck(config, seen('http://x', 'no'))),
    /^fail: http:\/\/x does not answer/,
  );
  t.equal(
    await told(apiCheck(config, { ...seen('http://x'), answers: true })),
    'ok: http://x answers',
  );
});
