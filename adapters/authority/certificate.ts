/**
 * X.509 certificates of an own authority: P-256 keys, ECDSA with SHA-256. Their library is loaded when one is made, which
 * happens once in the life of a requester.
 */
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** Both in PEM form. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly from: number;
  readonly until: number;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
/** Clocks of other hosts may be behind. */
const BACKDATED_MS = 3_600_000;

/** An authority that signs end certificates only. */
export async function makeAuthority(name: string, validity: Validity): Promise<Certified> {
  const x509 = await load();
  const keys = await newKeys();
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ ...basics(validity), signingAlgorithm: ALGORITHM, keys },
    name: [{ CN: [name] }],
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

/** For a TLS server that is reached by these names and addresses. */
export async function issueServer(
  authority: Certified,
  hosts: readonly string[],
  validity: Validity,
): Promise<Certified> {
  const x509 = await load();
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...{ ...basics(validity), signingAlgorithm: ALGORITHM, publicKey: keys.publicKey },
    issuer: issuer.subjectName,
    signingKey: await signingKey(authority.key),
    subject: [{ CN: [hosts[0] ?? 'server'] }],
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([SERVER_AUTHENTICATION]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

async function load() {
  // The container that the library builds on asks for it.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function basics({ from, until }: Validity) {
  return {
    serialNumber: serialNumber(),
    notBefore: new Date(from - BACKDATED_MS),
    notAfter: new Date(until),
  };
}

/** 16 bytes, positive. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return pem('PRIVATE KEY', der);
}

function pemOf({ rawData }: { readonly rawData: ArrayBuffer }): string {
  return pem('CERTIFICATE', Buffer.from(rawData));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
