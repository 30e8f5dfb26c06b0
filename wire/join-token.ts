/**
 * A join token: what an operator carries from the requester to a new node, as one word. It holds the credentials of a NATS
 * user that lives as long as the token and may only ask to join, and the certificate authority of the broker, if it has
 * one of its own.
 */
import { z } from 'zod';
import { LimpetError } from '../core/errors.ts';

const PREFIX = 'limpet-join-1.';
const TOKEN_ID = /^jt-[a-z0-9]{12}$/;

const contents = z.object({
  /** `jt-` and 12 letters and digits; the name of the NATS user too. */
  id: z.string().regex(TOKEN_ID),
  jwt: z.string().min(1),
  /** Of the NATS user, `SU...`. */
  seed: z.string().regex(/^SU[A-Z2-7]{56}$/),
  /** PEM, of the authority that has signed the broker's certificate. */
  ca: z.string().optional(),
});
export type JoinToken = z.infer<typeof contents>;

export function formatJoinToken(token: JoinToken): string {
  return `${PREFIX}${Buffer.from(JSON.stringify(token)).toString('base64url')}`;
}

/** Errors: `invalid-argument`, without the token in its message. */
export function parseJoinToken(text: string): JoinToken {
  try {
    if (!text.startsWith(PREFIX)) throw new Error(`it does not begin with ${PREFIX}`);
    const json = Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8');
    return contents.parse(JSON.parse(json));
  } catch (thrown) {
    throw new LimpetError(
      'invalid-argument',
      'the join token is not one; copy all of what `limpet node token create` has printed',
      { cause: thrown },
    );
  }
}
