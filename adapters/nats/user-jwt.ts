/**
 * What a NATS user JWT says. Its signature is not checked here: it is the broker that does so, and whoever holds one can
 * do no more with it than the broker allows.
 */
import { z } from 'zod';

const claimsSchema = z.object({
  name: z.string().default(''),
  /** The public key that it is about. */
  sub: z.string(),
  /** Seconds, by the clock of who has signed it. */
  iat: z.number(),
  exp: z.number().optional(),
});

export interface UserJwt {
  readonly text: string;
  readonly name: string;
  readonly publicKey: string;
  /** Both in ms since the epoch, by the clock of who has signed it. */
  readonly issuedAt: number;
  /** Infinity when it has no end. */
  readonly expiresAt: number;
}

/** undefined when it is none. */
export function readUserJwt(text: string): UserJwt | undefined {
  try {
    const body = text.trim().split('.')[1] ?? '';
    const claims = claimsSchema.parse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')));
    return {
      text: text.trim(),
      name: claims.name,
      publicKey: claims.sub,
      issuedAt: claims.iat * 1000,
      expiresAt: claims.exp === undefined ? Infinity : claims.exp * 1000,
    };
  } catch {
    return undefined;
  }
}
