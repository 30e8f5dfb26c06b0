/** The broker's certificate and the authority that made it. */
import { X509Certificate } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { failure, fine, skipped, warning, type Check } from '../../adapters/doctor/check.ts';
import { ignore } from '../../adapters/durable/if-there.ts';
import { readAbout } from '../authority/authority.ts';
import { filesOf } from '../authority/layout.ts';
import type { Config } from '../config.ts';
import { MONTH_MS } from './api.ts';

export function brokerCertificateCheck({ authority }: Config): Check {
  return {
    name: 'broker certificate',
    look: async () => {
      if (authority === undefined) return skipped('no authority in the config');
      const { about, serverCertificate, caCertificate } = filesOf(authority);
      // What this user may not look at is told as that.
      await access(about).catch(ignore('ENOENT', undefined));
      if (!readAbout(about).tls) return skipped('the broker has no TLS');
      const ca = await endOf(caCertificate);
      if (ca.left < MONTH_MS)
        return (ca.left < 0 ? failure : warning)(
          ca.found,
          'make a new authority with limpet requester init in another folder, and let every node join it',
        );
      const server = await endOf(serverCertificate);
      const renew = `limpet requester renew-certificates --folder ${authority}`;
      if (server.left < 0) return failure(server.found, renew);
      return server.left < MONTH_MS ? warning(server.found, renew) : fine(server.found);
    },
  };
}

async function endOf(file: string): Promise<{ readonly found: string; readonly left: number }> {
  const { validTo, subject, subjectAltName = subject } = new X509Certificate(await readFile(file));
  const left = Date.parse(validTo) - Date.now();
  return { found: `${file} is for ${subjectAltName}, until ${validTo}`, left };
}
