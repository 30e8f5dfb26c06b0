/**
 * Credentials out of a `.creds` file, as nsc and `limpet requester init` write them: a user JWT and the seed of its key,
 * each between two lines of dashes.
 */
import { readFileSync } from 'node:fs';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Credentials } from './port.ts';
import { readUserJwt } from './user-jwt.ts';
import { readUserKey } from './user-key.ts';

const BLOCK = /^-{3,} *BEGIN ([A-Z ]+?) *-{3,}\r?\n\s*(\S+)\s*\r?\n-{3,} *END /gm;

/** Reads it now, and anew at each call of the answer: the file may be replaced. Errors: `invalid-config`. */
export function credsFile(file: string): () => Credentials {
  readCreds(file);
  return () => readCreds(file);
}

function readCreds(file: string): Credentials {
  const blocks = new Map<string, string>();
  for (const [, name = '', body = ''] of textOf(file).matchAll(BLOCK)) blocks.set(name, body);
  const jwt = readUserJwt(blocks.get('NATS USER JWT') ?? '');
  const where = `the credentials file ${file}`;
  if (jwt === undefined)
    throw new LimpetError(
      'invalid-config',
      `${where} holds no NATS user JWT: expected a .creds file as nsc writes it`,
    );
  const { seed, publicKey } = readUserKey(blocks.get('USER NKEY SEED') ?? '', where);
  if (publicKey !== jwt.publicKey)
    throw new LimpetError(
      'invalid-config',
      `${where} holds a key and a JWT of another key; write both anew`,
    );
  return { type: 'jwt', jwt: jwt.text, seed };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `the credentials file ${file} cannot be read: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}
