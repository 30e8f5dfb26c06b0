/**
 * How a node gets, and keeps, the right to speak at the broker. A node makes its own key (ed25519, in NATS' form) and never
 * gives it away. With the credentials inside a join token it may do one thing: ask on `node.join.<tokenId>.Join/v1` for
 * a user JWT over its public key and node id. With that JWT it reaches the subjects of its own id alone, and asks for the
 * next one on `node.requester.<nodeId>.Renew/v1` before it expires.
 */
import { z } from 'zod';

/** A NATS user key: `U` and 55 letters of base32. */
export const publicKeySchema = z.string().regex(/^U[A-Z2-7]{55}$/, 'expected a NATS user key');

const proven = {
  v: z.literal(1),
  nodeId: z.string(),
  publicKey: publicKeySchema,
  /** Milliseconds; the requester takes no request that is further off than it allows. */
  at: z.number().int(),
  /** Base64url, by the node's key, over `joinText` of the rest. */
  signature: z.string(),
};

export const joinRequestSchema = z.object({
  ...proven,
  instanceId: z.string(),
  /** Display name of the node. */
  name: z.string(),
});
export type JoinRequest = z.infer<typeof joinRequestSchema>;

export const renewRequestSchema = z.object(proven);
export type RenewRequest = z.infer<typeof renewRequestSchema>;

/** Of both. Being joined is no approval: that is told by the handshake. */
export const joinAnswerSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('joined'),
    /** User JWT named after the node id. No secret: it is nothing without the key. */
    jwt: z.string(),
    expiresAt: z.number().int(),
  }),
  /** `reason` says what to do. A `final` refusal stays one, however often it is asked. */
  z.object({ type: z.literal('refused'), reason: z.string(), final: z.boolean() }),
]);
export type JoinAnswer = z.infer<typeof joinAnswerSchema>;

/** What the node's key signs. */
export function joinText({
  nodeId,
  publicKey,
  at,
}: Pick<JoinRequest, 'nodeId' | 'publicKey' | 'at'>): string {
  return `limpet join v1\n${nodeId}\n${publicKey}\n${at}`;
}
