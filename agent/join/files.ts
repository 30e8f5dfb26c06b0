/**
 * The files of a node's credentials: its key and its join token, which an operator puts there, and in the data folder
 * `nats.jwt`, what the requester has signed for it, and `nats-ca.pem`, the broker's authority out of the token.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { readUserJwt, type UserJwt } from '../../adapters/nats/user-jwt.ts';
import { readUserKey, type UserKey } from '../../adapters/nats/user-key.ts';
import { parseJoinToken, type JoinToken } from '../../wire/join-token.ts';

/** Errors: `invalid-config`: not there, no key, or others may read it; systemd guards its own folder itself. */
export function readKeyFile(file: string, credentialsDirectory: string | undefined): UserKey {
  const where = `nats.keyFile ${file}`;
  let text: string;
  let mode: number;
  try {
    text = readFileSync(file, 'utf8');
    ({ mode } = statSync(file));
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `${where} cannot be read: ${messageOf(thrown)}; \`limpet install agent\` makes one`,
      { cause: thrown },
    );
  }
  const guarded = credentialsDirectory !== undefined && file.startsWith(`${credentialsDirectory}/`);
  if (!guarded && (mode & 0o077) !== 0)
    throw new LimpetError(
      'invalid-config',
      `${where} can be read by others (mode ${(mode & 0o777).toString(8)}): \`chmod 600 ${file}\`; if others had access, make a new one`,
    );
  return readUserKey(text, where);
}

export type TokenFile =
  | { readonly type: 'none' }
  | { readonly type: 'unreadable'; readonly reason: string }
  | { readonly type: 'token'; readonly token: JoinToken };

/** A file that is not there, or is empty, holds none. */
export function readTokenFile(file: string | undefined): TokenFile {
  if (file === undefined) return { type: 'none' };
  try {
    const text = (readIfThere(file) ?? '').trim();
    return text === '' ? { type: 'none' } : { type: 'token', token: parseJoinToken(text) };
  } catch (thrown) {
    return { type: 'unreadable', reason: `join token ${file}: ${messageOf(thrown)}` };
  }
}

export function jwtFile(dataDir: string): string {
  return join(dataDir, 'nats.jwt');
}

export function caFile(dataDir: string): string {
  return join(dataDir, 'nats-ca.pem');
}

/** When it was written tells how the clock of who signed it differs from the one here. */
export interface StoredJwt {
  readonly jwt: UserJwt;
  readonly skewMs: number;
}

/** undefined when there is none for this key and node. */
export function readJwt(
  dataDir: string,
  { nodeId, publicKey }: { readonly nodeId: string; readonly publicKey: string },
): StoredJwt | undefined {
  const file = jwtFile(dataDir);
  try {
    const jwt = readUserJwt(readIfThere(file) ?? '');
    if (jwt?.publicKey !== publicKey || jwt.name !== nodeId) return undefined;
    return { jwt, skewMs: jwt.issuedAt - statSync(file).mtimeMs };
  } catch {
    return undefined;
  }
}

export async function writeJwt(dataDir: string, jwt: UserJwt): Promise<void> {
  await writeDurably(jwtFile(dataDir), `${jwt.text}\n`);
}

/** Answers the file of the broker's authority; undefined when no token has named one. */
export async function keepAuthority(
  dataDir: string,
  ca: string | undefined,
): Promise<string | undefined> {
  const file = caFile(dataDir);
  const known = readIfThere(file);
  if (ca !== undefined && ca !== known) await writeDurably(file, ca, { mode: 0o644 });
  return ca === undefined && known === undefined ? undefined : file;
}
