/** A program's own key at the broker: ed25519, in NATS' form. The seed never leaves the program. */
import { fromSeed } from '@nats-io/nkeys';
import { LimpetError } from '../../core/errors.ts';

const SEED = /^SU[A-Z2-7]{56}$/;

export interface UserKey {
  /** `SU...` */
  readonly seed: string;
  /** `U...` */
  readonly publicKey: string;
  /** Base64url of the signature over the text. */
  sign(text: string): string;
}

/** `where` names the origin. Errors: `invalid-config`, without the seed in its message. */
export function readUserKey(text: string, where: string): UserKey {
  const seed = text.trim();
  try {
    if (!SEED.test(seed)) throw new Error('another form');
    const pair = fromSeed(new TextEncoder().encode(seed));
    const sign = (said: string): string =>
      Buffer.from(pair.sign(new TextEncoder().encode(said))).toString('base64url');
    return { seed, publicKey: pair.getPublicKey(), sign };
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `${where} holds no key: expected one line, the seed of a NATS user key (SU and 56 letters and digits)`,
      { cause: thrown },
    );
  }
}
