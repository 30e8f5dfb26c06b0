import { symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import t from 'tap';
import {
  issueServer,
  makeAuthority,
  type Certified,
} from '../../adapters/authority/certificate.ts';
import { parseConfig } from '../../requester/config.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { startDist } from '../kit/program.ts';
import { requesterInProcess } from '../kit/requester/in-process.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';
import { RequesterProgram } from './requester/requester-program.ts';

t.setTimeout(120_000);

const skip = natsServerSkip();
const DAY_MS = 86_400_000;

function today() {
  return { from: Date.now(), until: Date.now() + DAY_MS };
}

/** A folder with ca.pem, server.pem and server.key. */
class Certificates {
  readonly folder: string;
  readonly ca: string;
  readonly #authority: Certified;

  private constructor(folder: string, authority: Certified) {
    this.folder = folder;
    this.#authority = authority;
    this.ca = authority.certificate;
    writeFileSync(join(folder, 'ca.pem'), this.ca);
  }

  static async make(t: Teardown, hosts: readonly string[]): Promise<Certificates> {
    const made = new Certificates(tempDir(t), await makeAuthority('test CA', today()));
    await made.issue(hosts);
    return made;
  }

  async issue(hosts: readonly string[]): Promise<void> {
    const { certificate, key } = await issueServer(this.#authority, hosts, today());
    writeFileSync(join(this.folder, 'server.pem'), certificate);
    writeFileSync(join(this.folder, 'server.key'), key);
  }

  get config() {
    return {
      certFile: join(this.folder, 'server.pem'),
      keyFile: join(this.folder, 'server.key'),
      caFile: join(this.folder, 'ca.pem'),
    };
  }
}

t.test('an API with TLS', { skip }, async (t) => {
  const nats = await startNatsServer(t);
  const certificates = await Certificates.make(t, ['127.0.0.1']);
  const http = { port: 0, tls: certificates.config };
  const requester = new RequesterProgram(t, nats.url, { http });
  await requester.start();
  const data = tempDir(t);
  const cli = async (env: Readonly<Record<string, string | undefined>>, ...args: string[]) => {
    const clean = { LIMPET_API: undefined, LIMPET_TOKEN: undefined, LIMPET_CA: undefined };
    const given = { ...clean, NODE_EXTRA_CA_CERTS: undefined, LIMPET_DATA: data, ...env };
    const program = await startDist(t, 'limpet', { args, env: given });
    const { code } = await program.waitForExit(30_000);
    return { code, stdout: program.stdout, stderr: program.stderr };
  };
  const remote = { LIMPET_API: requester.url, LIMPET_TOKEN: requester.token };
  const ca = certificates.config.caFile;

  t.test('is found and trusted by the commands of its host, without a setting', async (t) => {
    t.match(requester.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    symlinkSync(requester.folder, join(data, 'requester'));
    t.has(await cli({}, 'job', 'list', '-o', 'json'), { code: 0, stderr: '' });
  });

  t.test('is trusted elsewhere by LIMPET_CA or NODE_EXTRA_CA_CERTS', async (t) => {
    const far = { ...remote, LIMPET_DATA: tempDir(t) };
    t.has(await cli({ ...far, LIMPET_CA: ca }, 'node', 'list', '-o', 'json'), { code: 0 });
    t.has(await cli({ ...far, NODE_EXTRA_CA_CERTS: ca }, 'node', 'list', '-o', 'json'), {
      code: 0,
    });
    const unknown = await cli(far, 'job', 'list');
    t.equal(unknown.code, 1);
    t.equal(
      unknown.stderr,
      `error: ${requester.url} is not trusted: its certificate is signed by an authority that is not known here; name the PEM file of that CA in LIMPET_CA\n`,
    );
    const missing = await cli({ ...far, LIMPET_CA: '/nowhere/ca.pem' }, 'job', 'list');
    t.match(missing.stderr, /^error: LIMPET_CA: ENOENT.*\/nowhere\/ca\.pem'\n$/);
  });

  t.test('tells who comes under another name, or without TLS', async (t) => {
    const { port } = new URL(requester.url);
    const named = { ...remote, LIMPET_API: `https://localhost:${port}`, LIMPET_CA: ca };
    t.match((await cli(named, 'job', 'list')).stderr, /its certificate is for another name: /);
    const plain = { ...remote, LIMPET_API: `http://127.0.0.1:${port}` };
    t.equal((await cli(plain, 'job', 'list')).code, 1);
  });

  t.test('makes and revokes tokens by the command line', async (t) => {
    const admin = { ...remote, LIMPET_CA: ca };
    const args = ['requester', 'token', 'create', '--role', 'reader', '--name', 'watch'];
    const { stdout, stderr } = await cli(admin, ...args);
    const [, token = '', id = ''] = /^((at-[0-9a-f]{12})\.\S{43})\n$/.exec(stdout) ?? [];
    t.match(stderr, /^token at-\S+ 'watch', reader, ends 20\d\d-.*; it cannot be shown again\n$/);
    const reader = { ...admin, LIMPET_TOKEN: token };
    t.equal((await cli(reader, 'node', 'list')).code, 0);
    t.equal(
      (await cli(reader, 'requester', 'token', 'list')).stderr,
      "error: this needs the role admin; token 'watch' has the role reader\n",
    );
    t.match((await cli(admin, 'requester', 'token', 'list')).stdout, `${id}  watch`);
    t.has(await cli(admin, 'requester', 'token', 'revoke', id), {
      stdout: `token ${id} 'watch' is revoked\n`,
    });
    t.match(
      (await cli(reader, 'node', 'list')).stderr,
      /^error: \S+ does not accept this token: token 'watch' was revoked at .*; set LIMPET_TOKEN\n$/,
    );
  });
});

t.test(
  'an address that is not loopback is refused without TLS, and says what it needs',
  async (t) => {
    t.throws(() => parseConfig({ http: { host: '10.1.2.3' } }, 'r.json'), {
      code: 'invalid-config',
      message:
        'r.json: http.host is "10.1.2.3": expected 127.0.0.1, ::1, localhost; another address needs http.tls with certFile and keyFile',
    });
  },
);

t.test('with TLS any address will do, under the names of the config alone', { skip }, async (t) => {
  const nats = await startNatsServer(t);
  const certificates = await Certificates.make(t, ['127.0.0.2', 'api.limpet.test']);
  // 127.0.0.2 is not one of the names of loopback.
  const http = { host: '127.0.0.2', port: 0, tls: certificates.config, names: ['api.limpet.test'] };
  const servers = { nats: { servers: [nats.url] } };
  const requester = await requesterInProcess(t, tempDir(t), { http, ...servers });
  t.match(requester.url, /^https:\/\/127\.0\.0\.2:\d+$/);
  const status = (host: string) =>
    new Promise<number>((resolve, reject) => {
      get(
        `${requester.url}/api/v1/agent/alive`,
        // Node would ask for a certificate with the name in Host.
        { headers: { host }, ca: certificates.ca, servername: 'api.limpet.test', timeout: 10_000 },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      ).once('error', reject);
    });
  t.equal(await status('api.limpet.test:443'), 200);
  t.equal(await status('127.0.0.2'), 200);
  t.equal(await status('other.limpet.test'), 403);

  t.test('a renewed certificate is taken without a restart, a broken one is not', async (t) => {
    const before = await certificateOf(requester.url, certificates.ca);
    await certificates.issue(['127.0.0.2']);
    t.equal(await certificateOf(requester.url, certificates.ca), before, 'not by itself');
    await requester.renewCertificate();
    const renewed = await certificateOf(requester.url, certificates.ca);
    t.not(renewed, before);
    writeFileSync(certificates.config.keyFile, 'no key');
    await t.rejects(requester.renewCertificate(), {
      code: 'invalid-config',
      message:
        /^http\.tls: .*server\.pem and .*server\.key are no certificate and its key in PEM: /,
    });
    t.equal(await certificateOf(requester.url, certificates.ca), renewed);
  });
});

t.test('a certificate that cannot be read ends the start in one line', { skip }, async (t) => {
  const nats = await startNatsServer(t);
  const tls = { certFile: '/nowhere/server.pem', keyFile: '/nowhere/server.key' };
  const requester = new RequesterProgram(t, nats.url, { http: { port: 0, tls } });
  const program = await requester.launch();
  t.not((await program.waitForExit(30_000)).code, 0);
  t.match(
    program.stderr,
    /requester: http\.tls\.certFile: ENOENT: .*; expected a PEM file that the requester can read\n$/,
  );
});

/** The serial number that is served now. */
function certificateOf(url: string, ca: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca }, () => {
      const { serialNumber }: DetailedPeerCertificate = socket.getPeerCertificate(true);
      socket.destroy();
      resolve(serialNumber);
    });
    socket.once('error', reject);
  });
}
