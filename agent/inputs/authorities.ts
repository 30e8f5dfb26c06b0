/** Whom downloads trust over https: the authorities that Node brings, and those of the operator's own file. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { LimpetError, messageOf } from '../../core/errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Read anew for each attempt, so that a renewed file counts at once. Errors: `unavailable`. */
export async function trusted(caFile: string): Promise<SecureContext> {
  try {
    const own = (await readFile(caFile, 'utf8')).match(CERTIFICATE) ?? [];
    if (own.length === 0) throw new LimpetError('unavailable', 'there is no certificate in it');
    // A broken one would be passed over without a word.
    for (const certificate of own) new X509Certificate(certificate);
    return createSecureContext({ ca: [...rootCertificates, ...own] });
  } catch (thrown) {
    throw new LimpetError(
      'unavailable',
      `urlDownload.caFile of this node, ${caFile}, cannot be used: ${messageOf(thrown)}; expected certificates in PEM form`,
      { cause: thrown },
    );
  }
}
