/** Each way in which TLS with the broker does not come about, and that it does. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { issueServer, makeAuthority } from '../../adapters/authority/certificate.ts';
import type { TransportTls } from '../../adapters/nats/port.ts';
import { eventually } from '../kit/eventually.ts';
import { connectionDetail } from '../../adapters/nats/nats-errors.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { open } from './transport-suite.ts';

t.setTimeout(120_000);

const DAY_MS = 86_400_000;
const NAME = 'test authority';

interface Certificates {
  readonly caFile: string;
  /** A `tls` block for nats-server. */
  config(more?: string): string;
}

/** Valid from `days` on for one day, for these hosts. */
async function certificates(
  t: Test,
  { days = 0, hosts = ['127.0.0.1'] } = {},
): Promise<Certificates> {
  const folder = tempDir(t);
  const from = Date.now() + days * DAY_MS;
  const validity = { from, until: from + DAY_MS };
  const ca = await makeAuthority(NAME, {
    from: Date.now() - 9 * DAY_MS,
    until: Date.now() + DAY_MS,
  });
  const server = await issueServer(ca, hosts, validity);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const [cert, key] = [file('server.pem', server.certificate), file('server.key', server.key)];
  return {
    caFile: file('ca.pem', ca.certificate),
    config: (more = '') => `tls { cert_file: "${cert}", key_file: "${key}", timeout: 5 ${more} }`,
  };
}

interface Try {
  readonly config: string;
  readonly scheme?: 'nats' | 'tls';
  readonly tls?: TransportTls;
  readonly host?: string;
}

async function tried(t: Test, { config, scheme = 'tls', tls, host = '127.0.0.1' }: Try) {
  const { port } = await startNatsServer(t, { config });
  const url = `${scheme}://${host}:${port}`;
  const transport = await open(t, url, { tls: () => tls });
  let said = '';
  transport.onConnection((_, detail) => (said = detail));
  return { transport, said: said.replaceAll(String(port), 'PORT') };
}

t.test('a broker that hangs up before it is heard', (t) => {
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  const asks = /broke off: read ECONNRESET; .* certificate of this program: nats\.tls\.certFile/;
  t.match(connectionDetail(reset, 'tls://broker:4222'), asks);
  t.notMatch(connectionDetail(reset, 'nats://broker:4222'), /certificate/);
  t.end();
});

t.test('TLS', { skip: natsServerSkip() }, (t) => {
  t.test('with the authority of the broker, by address and by name', async (t) => {
    const made = await certificates(t, { hosts: ['127.0.0.1', 'localhost'] });
    for (const host of ['127.0.0.1', 'localhost']) {
      const { transport } = await tried(t, {
        ...{ config: made.config(), host },
        tls: { caFile: made.caFile },
      });
      // On a busy machine the first attempt may be too late.
      t.ok(await eventually(`a connection to ${host}`, () => transport.connected, 30_000));
      await transport.renew();
      t.equal(transport.connected, true, `${host}, renewed`);
    }
  });

  t.test('an authority that is not known', async (t) => {
    const [made, other] = [await certificates(t), await certificates(t)];
    const { said } = await tried(t, { config: made.config(), tls: { caFile: other.caFile } });
    t.equal(
      said,
      'the certificate of the broker tls://127.0.0.1:PORT is of an authority that is not known here: name its PEM file as nats.tls.caFile',
    );
    const without = await tried(t, { config: made.config(), scheme: 'nats' });
    t.match(without.said, /of an authority that is not known here/, 'nats:// does not go without');
  });

  t.test('a certificate that has expired, or is not valid yet', async (t) => {
    for (const [days, line] of [
      [-3, /has expired: renew it there, or set this host's clock right$/],
      [3, /is not valid yet: set this host's clock right$/],
    ] as const) {
      const made = await certificates(t, { days });
      const { said } = await tried(t, { config: made.config(), tls: { caFile: made.caFile } });
      t.match(said, line);
    }
  });

  t.test('a certificate for another name, also when that is localhost', async (t) => {
    for (const hosts of [['broker.example'], ['localhost'], ['10.1.2.3']]) {
      const made = await certificates(t, { hosts });
      const { said } = await tried(t, { config: made.config(), tls: { caFile: made.caFile } });
      t.match(
        said,
        /^the certificate of the broker tls:.* is for another name: .*issue it for this one$/,
        hosts.join(),
      );
    }
  });

  t.test('a broker without TLS where tls:// was asked for', async (t) => {
    const { said } = await tried(t, { config: '' });
    t.equal(
      said,
      'the broker tls://127.0.0.1:PORT speaks no TLS, which tls:// or nats.tls asks for: switch it on there, or write nats://',
    );
    const made = await certificates(t);
    const files = await tried(t, { config: '', scheme: 'nats', tls: { caFile: made.caFile } });
    t.match(files.said, /speaks no TLS/, 'an authority asks for it, too');
  });

  t.test('an authority file that is not there', async (t) => {
    const made = await certificates(t);
    const { said } = await tried(t, { config: made.config(), tls: { caFile: '/nowhere/ca.pem' } });
    t.match(said, /^TLS with the broker tls:.*\/nowhere\/ca\.pem/);
  });

  t.test('a broker that asks for a certificate: without one, and with one', async (t) => {
    const made = await certificates(t);
    const client = join(tempDir(t), 'client');
    const ca = await makeAuthority('clients', { from: Date.now(), until: Date.now() + DAY_MS });
    // Its own authority: it says nothing of what it may be used for.
    writeFileSync(`${client}.pem`, ca.certificate);
    writeFileSync(`${client}.key`, ca.key);
    const config = made.config(`, ca_file: "${client}.pem", verify: true`);
    const { said } = await tried(t, { config, tls: { caFile: made.caFile } });
    t.match(said, /asks for a certificate of this program: nats\.tls\.certFile and keyFile/);
    const certified = { certFile: `${client}.pem`, keyFile: `${client}.key` };
    const { transport } = await tried(t, { config, tls: { caFile: made.caFile, ...certified } });
    t.equal(transport.connected, true);
  });
  t.end();
});
