/**
 * `limpet requester init`: makes the authority over a broker. It is made beside its place and renamed into it, so it is
 * there whole or not at all; what is there is never changed.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { issueServer, makeAuthority } from '../../adapters/authority/certificate.ts';
import {
  accountJwt,
  credentialsFile,
  newKey,
  operatorJwt,
  systemAccountJwt,
  type Key,
} from '../../adapters/authority/claims.ts';
import { syncFolder } from '../../adapters/durable/folders.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { filesOf, type AboutAuthority } from './layout.ts';
import { serverConfig, type Preload } from './server-config.ts';

export interface InitOptions {
  /** Absolute. */
  readonly folder: string;
  /** Names and addresses by which other hosts reach the broker; without any it listens on loopback alone. */
  readonly hosts: readonly string[];
  readonly tls: boolean;
  readonly port: number;
  /** Of the broker. */
  readonly brokerData?: string;
  readonly dryRun: boolean;
  readonly now: number;
}

export interface InitReport {
  /** false: it was all there. */
  readonly changed: boolean;
  /** Below the folder. */
  readonly files: readonly string[];
}

const YEAR_MS = 365.25 * 86_400_000;
/** The authority outlives the certificates that it makes: nodes know it by what they joined with. */
export const LIFE_MS = { authority: 30 * YEAR_MS, server: 10 * YEAR_MS } as const;
const HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;

/** Errors: `invalid-argument`, `conflict` (something else is there), `permission-denied`. */
export async function initAuthority(options: InitOptions): Promise<InitReport> {
  const { folder, hosts, dryRun } = options;
  checkHosts(hosts);
  if (existsSync(filesOf(folder).about)) return { changed: false, files: [] };
  const contents = await contentsOf(options);
  if (!dryRun) await place(folder, contents);
  return { changed: true, files: contents.map(({ name }) => name) };
}

/** Errors: `invalid-argument`. */
export function checkHosts(hosts: readonly string[]): void {
  for (const host of hosts)
    if (isIP(host) === 0 && !HOST.test(host))
      throw new LimpetError(
        'invalid-argument',
        `--host '${host}' is neither a host name nor an address`,
      );
}

interface Content {
  readonly name: string;
  readonly text: string;
  readonly mode: number;
}

async function place(folder: string, contents: readonly Content[]): Promise<void> {
  try {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
    const made = mkdtempSync(`${folder}.new-`);
    try {
      for (const { name, text, mode } of contents) {
        mkdirSync(dirname(join(made, name)), { recursive: true, mode: 0o700 });
        await writeDurably(join(made, name), text, { mode });
      }
      await syncFolder(made);
      // Takes the place of an empty folder, and of nothing else.
      renameSync(made, folder);
    } catch (thrown) {
      rmSync(made, { recursive: true, force: true });
      throw thrown;
    }
    await syncFolder(dirname(folder));
  } catch (thrown) {
    throw placeError(folder, thrown);
  }
}

function placeError(folder: string, thrown: unknown): LimpetError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR'
    ? new LimpetError(
        'conflict',
        `${folder} is there and is no authority; name another folder, or remove it`,
        { cause: thrown },
      )
    : new LimpetError(
        'permission-denied',
        `cannot make the authority in ${folder}: ${messageOf(thrown)}`,
        { cause: thrown },
      );
}

async function contentsOf(options: InitOptions): Promise<Content[]> {
  const [operator, operatorSigning] = [newKey('operator'), newKey('operator')];
  const [account, agents, joins] = [newKey('account'), newKey('account'), newKey('account')];
  const system = newKey('account');
  const about: AboutAuthority = {
    v: 1,
    operator: operator.publicKey,
    account: account.publicKey,
    systemAccount: system.publicKey,
    signing: {
      operator: operatorSigning.publicKey,
      agents: agents.publicKey,
      joins: joins.publicKey,
    },
    createdAt: options.now,
    tls: options.tls,
  };
  const preload = await preloadOf(about, { operator, signingSeed: operatorSigning.seed });
  const names = filesOf('');
  const secret = (name: string, text: string): Content => ({ name, text, mode: 0o600 });
  const shared = (name: string, text: string): Content => ({ name, text, mode: 0o640 });
  return [
    secret(names.operatorKey, `${operator.seed}\n`),
    secret(names.accountKey, `${account.seed}\n`),
    secret(names.operatorSigningKey, `${operatorSigning.seed}\n`),
    secret(names.agentsKey, `${agents.seed}\n`),
    secret(names.joinsKey, `${joins.seed}\n`),
    shared(names.accountJwt, `${preload.accountJwt}\n`),
    secret(names.requesterCreds, await credentialsFile('requester', account)),
    secret(names.systemCreds, await credentialsFile('system', system)),
    ...(options.tls ? await certificates(options) : []),
    shared(names.serverConfig, serverConfig(about, preload, brokerOf(options))),
    shared(names.about, `${JSON.stringify(about, undefined, 2)}\n`),
  ];
}

async function preloadOf(
  { account, signing, systemAccount }: AboutAuthority,
  { operator, signingSeed }: { readonly operator: Key; readonly signingSeed: string },
): Promise<Preload> {
  return {
    operatorJwt: await operatorJwt({ operator, signing: signing.operator, systemAccount }),
    accountJwt: await accountJwt({ account, ...signing, revoked: {} }, signingSeed),
    systemAccountJwt: await systemAccountJwt(systemAccount, signingSeed),
  };
}

function brokerOf({ folder, hosts, port, tls, brokerData }: InitOptions) {
  const dataFolder = brokerData ?? join(folder, 'nats');
  return { files: filesOf(folder), broker: { port, open: hosts.length > 0, tls, dataFolder } };
}

async function certificates({ hosts, now }: InitOptions): Promise<Content[]> {
  const authority = await makeAuthority('limpet broker authority', {
    from: now,
    until: now + LIFE_MS.authority,
  });
  const served = [...new Set([...hosts, 'localhost', '127.0.0.1'])];
  const server = await issueServer(authority, served, {
    from: now,
    until: now + LIFE_MS.server,
  });
  const names = filesOf('');
  return [
    { name: names.caKey, text: authority.key, mode: 0o600 },
    { name: names.caCertificate, text: authority.certificate, mode: 0o644 },
    { name: names.serverKey, text: server.key, mode: 0o600 },
    { name: names.serverCertificate, text: server.certificate, mode: 0o644 },
  ];
}
