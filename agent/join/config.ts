/** The `nats` section of the agent's config. */
import { z } from 'zod';

const absolute = z.string().regex(/^\//, 'expected an absolute path');

const tls = z
  .strictObject({
    caFile: absolute
      .optional()
      .describe(
        "PEM file of the authority that signed the broker's certificate; else the one out of the join token, else those of Node.",
      ),
    certFile: absolute
      .optional()
      .describe('PEM file of a certificate of this node, for a broker that asks for one (mTLS).'),
    keyFile: absolute.optional().describe('PEM file of the key of certFile.'),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: 'expected certFile and keyFile together',
  })
  .optional()
  .describe('TLS with the broker. With it, or with tls:// in servers, there is no way without.');

export const natsConfig = z
  .strictObject({
    servers: z
      .array(z.string().regex(/^(nats|tls):\/\/.+/, 'expected nats://HOST:PORT or tls://HOST:PORT'))
      .min(1)
      .default(['nats://127.0.0.1:4222'])
      .describe('Brokers, tried in turn.'),
    user: z.string().optional().describe('User name at a broker with plain users.'),
    password: z.string().optional().describe('Password at a broker with plain users.'),
    keyFile: absolute
      .optional()
      .describe(
        "File with this node's key (a NATS user seed, SU...), read by nobody else; `nkey` of the unit's credentials by default.",
      ),
    joinTokenFile: absolute
      .optional()
      .describe(
        "File with a join token, empty when there is none; looked at while the node needs one; `join-token` of the unit's credentials by default.",
      ),
    credsFile: absolute
      .optional()
      .describe('A ready-made .creds file, for a broker with an operator of its own.'),
    tls,
    pingIntervalMs: z
      .number()
      .int()
      .min(500)
      .max(60_000)
      .default(10_000)
      .describe('How often the broker is asked for a sign of life; it is gone after three, ms.'),
    requestTimeoutMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(5_000)
      .describe('How long the requester may take to answer, ms.'),
  })
  .prefault({})
  .describe('The broker between agent and requester.');
