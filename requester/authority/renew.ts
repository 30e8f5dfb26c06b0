/**
 * `limpet requester renew-certificates`: a new key and certificate for the broker, by the authority that is there. The
 * authority itself stays, so whoever has joined by it believes the broker as before.
 */
import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { issueServer } from '../../adapters/authority/certificate.ts';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { readAbout } from './authority.ts';
import { checkHosts, LIFE_MS } from './init.ts';
import { filesOf, type AuthorityFiles } from './layout.ts';

export interface RenewOptions {
  /** Absolute. */
  readonly folder: string;
  /** Names and addresses by which other hosts reach the broker; without any those of the present certificate. */
  readonly hosts: readonly string[];
  readonly dryRun: boolean;
  readonly now: number;
}

export interface RenewReport {
  readonly hosts: readonly string[];
  readonly until: number;
  /** The configuration has the broker listen where these hosts do not lead. */
  readonly onlyLoopback: boolean;
}

const LEAST_MS = 30 * 86_400_000;
const LOOPBACK = ['localhost', '127.0.0.1'];

/** Errors: `invalid-argument`, `invalid-config` (the authority is not whole), `conflict`, `permission-denied`. */
export async function renewCertificates(options: RenewOptions): Promise<RenewReport> {
  const { folder, now, dryRun } = options;
  checkHosts(options.hosts);
  const files = filesOf(folder);
  if (!readAbout(files.about).tls)
    throw new LimpetError(
      'conflict',
      `the broker of ${folder} has no TLS, so there is no certificate; \`limpet requester init --tls\` makes another authority, in another folder`,
    );
  const authority = readAuthority(files, now);
  const hosts = unique(
    options.hosts.length > 0 ? [...options.hosts, ...LOOPBACK] : namesNow(files),
  );
  const until = Math.min(now + LIFE_MS.server, Date.parse(authority.shown.validTo));
  if (!dryRun) {
    const made = await issueServer(authority, hosts, { from: now, until });
    // The names are told by the certificate: after a crash between the two it is still the old one.
    await replace(files.serverKey, made.key);
    await replace(files.serverCertificate, made.certificate);
  }
  const config = readIfThere(files.serverConfig) ?? '';
  const onlyLoopback = /^host: "127\.0\.0\.1"$/m.test(config);
  return { hosts, until, onlyLoopback: onlyLoopback && options.hosts.length > 0 };
}

function readAuthority(files: AuthorityFiles, now: number) {
  const [certificate, key] = [need(files.caCertificate), need(files.caKey)];
  const shown = parse(files.caCertificate, certificate);
  if (Date.parse(shown.validTo) < now + LEAST_MS)
    throw new LimpetError(
      'conflict',
      `the authority itself (${files.caCertificate}) is good until ${shown.validTo} alone; make a new one with \`limpet requester init\` in another folder, and let every node join it`,
    );
  return { certificate, key, shown };
}

function need(file: string): string {
  const text = read(file);
  if (text !== undefined) return text;
  throw new LimpetError('invalid-config', `${file} is missing; restore it from a copy`);
}

function read(file: string): string | undefined {
  try {
    return readIfThere(file);
  } catch (thrown) {
    throw new LimpetError('permission-denied', `cannot read ${file}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function parse(file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (thrown) {
    throw new LimpetError('invalid-config', `${file} is no certificate; restore it from a copy`, {
      cause: thrown,
    });
  }
}

function namesNow({ serverCertificate }: AuthorityFiles): string[] {
  const text = read(serverCertificate);
  const names = text === undefined ? [] : namesOf(parse(serverCertificate, text));
  if (names.length > 0) return names;
  throw new LimpetError(
    'invalid-argument',
    `${serverCertificate} tells no names; name them with --host`,
  );
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name = '']) => name);
}

/** For whom the old one was, if there is one: the broker's user, which is another one than the operator. */
async function replace(file: string, text: string): Promise<void> {
  try {
    const old = statSync(file, { throwIfNoEntry: false });
    const as = old === undefined ? {} : { mode: old.mode & 0o777, owner: old };
    await writeDurably(file, text, as);
  } catch (thrown) {
    throw new LimpetError('permission-denied', `cannot write ${file}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
