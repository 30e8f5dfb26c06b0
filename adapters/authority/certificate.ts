/**
 * X.509 certificates of an own authority: P-256 keys, ECDSA with SHA-256 (RFC 5280). Keys and signatures are node:crypto's;
 * here stands only what a certificate says.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { isIP } from 'node:net';
import {
  bits,
  boolean,
  implicit,
  integer,
  octets,
  oid,
  sequence,
  tagged,
  time,
  tlv,
  utf8,
} from './der.ts';

/** Both in PEM form. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly from: number;
  readonly until: number;
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
/** Clocks of other hosts may be behind. */
const BACKDATED_MS = 3_600_000;

/** An authority that signs end certificates only. */
export function makeAuthority(name: string, { from, until }: Validity): Certified {
  const { privateKey, spki } = newKey();
  const extensions = [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    // keyCertSign, cRLSign
    extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1)),
    extension('2.5.29.14', false, octets(keyIdOf(spki))),
  ];
  const named = { issuer: name, subject: name, validity: { from, until } };
  return certified({ ...named, spki, extensions }, { signer: privateKey, own: privateKey });
}

/** For a TLS server that is reached by these names and addresses. */
export function issueServer(
  authority: Certified & { readonly name: string },
  hosts: readonly string[],
  validity: Validity,
): Certified {
  const { privateKey, spki } = newKey();
  const signer = createPrivateKey(authority.key);
  const extensions = [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature
    extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...hosts.map(alternativeName))),
    extension('2.5.29.14', false, octets(keyIdOf(spki))),
    extension('2.5.29.35', false, sequence(implicit(0, keyIdOf(spkiOf(signer))))),
  ];
  const named = { issuer: authority.name, subject: hosts[0] ?? 'server', validity };
  return certified({ ...named, spki, extensions }, { signer, own: privateKey });
}

interface Statement {
  readonly issuer: string;
  readonly subject: string;
  readonly validity: Validity;
  readonly spki: Buffer;
  readonly extensions: readonly Buffer[];
}

function certified(
  { issuer, subject, validity, spki, extensions }: Statement,
  { signer, own }: { readonly signer: KeyObject; readonly own: KeyObject },
): Certified {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const statement = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(validity.from - BACKDATED_MS), time(validity.until)),
    nameOf(subject),
    spki,
    tagged(3, sequence(...extensions)),
  );
  const signature = sign('sha256', statement, signer);
  const der = sequence(statement, ECDSA_SHA256, bits(signature));
  const lines = der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: own.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function newKey(): { readonly privateKey: KeyObject; readonly spki: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** SHA-1 of the point, which ends the structure: 65 bytes. */
function keyIdOf(spki: Buffer): Buffer {
  return createHash('sha1').update(spki.subarray(-65)).digest();
}

function nameOf(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), utf8(commonName))));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

function alternativeName(host: string): Buffer {
  return isIP(host) === 0 ? implicit(2, Buffer.from(host)) : implicit(7, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // A URL writes an IPv6 address in its shortest form, without dotted parts.
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = short.split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const left = groups(head);
  const right = groups(tail ?? '');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const all = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0'));
  return Buffer.from(all.join(''), 'hex');
}
