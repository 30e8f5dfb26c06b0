/** The bearer token of the API: made at the first start, readable by the owner of the data folder alone. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError } from '../../core/errors.ts';

const TOKEN = /^[A-Za-z0-9_-]{32,}$/;

export async function readToken(folder: string): Promise<string> {
  const file = join(folder, 'token');
  const found = readIfThere(file);
  if (found !== undefined) {
    const token = found.trim();
    if (TOKEN.test(token)) return token;
    throw new LimpetError(
      'invalid-config',
      `${file} holds no token of 32 or more letters and digits; remove it`,
    );
  }
  const token = randomBytes(32).toString('base64url');
  await writeDurably(file, `${token}\n`);
  return token;
}

/** Compares in constant time. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHmac('sha256', 'limpet').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** What makes a URL usable without the token: path and end of validity, signed with it. */
export function signPath(token: string, path: string, expiresAt: number): string {
  return createHmac('sha256', token)
    .update(`limpet result\n${path}\n${expiresAt}`)
    .digest('base64url');
}
