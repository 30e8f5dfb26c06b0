/** The API's certificate: read and checked whole before it is used, so that a wrong one never replaces a good one. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Config } from '../config.ts';

export type TlsConfig = NonNullable<Config['http']['tls']>;

export interface ServerTls {
  readonly cert: string;
  readonly key: string;
}

/** Errors: `invalid-config`. */
export async function readTls(config: TlsConfig): Promise<ServerTls> {
  const cert = await readPem(config.certFile, 'http.tls.certFile');
  const key = await readPem(config.keyFile, 'http.tls.keyFile');
  try {
    createSecureContext({ cert, key });
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `http.tls: ${config.certFile} and ${config.keyFile} are no certificate and its key in PEM: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
  return { cert, key };
}

async function readPem(file: string, field: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `${field}: ${messageOf(thrown)}; expected a PEM file that the requester can read`,
      { cause: thrown },
    );
  }
}

/** Under which name clients of this host find the API: one that the certificate is for, if there is one. */
export function localName(cert: string, { host, names }: Config['http']): string | undefined {
  const certificate = new X509Certificate(cert);
  const everywhere = host === '0.0.0.0' || host === '::';
  const places = everywhere ? ['127.0.0.1', 'localhost', ...names] : [host, ...names];
  return places.find((place) =>
    isIP(place) === 0
      ? certificate.checkHost(place) !== undefined
      : certificate.checkIP(place) !== undefined,
  );
}
