/**
 * The files of an authority:
 *
 *   offline/operator.nk, account.nk   who operator and account are; needed again only to make new signing keys
 *   operator-signing.nk               signs the claims of the account: revocations
 *   agents.nk, joins.nk               sign the credentials of nodes and of join tokens
 *   requester.creds, system.creds     what the requester connects with
 *   account.jwt                       the account as it was made
 *   nats-server.conf                  for the broker
 *   tls/ca.pem, ca.key, server.pem, server.key
 *   authority.json                    public halves; written last, so it tells that the rest is there
 */
import { join } from 'node:path';
import { z } from 'zod';

export function filesOf(folder: string) {
  const at = (name: string): string => join(folder, name);
  return {
    about: at('authority.json'),
    operatorKey: at('offline/operator.nk'),
    accountKey: at('offline/account.nk'),
    operatorSigningKey: at('operator-signing.nk'),
    agentsKey: at('agents.nk'),
    joinsKey: at('joins.nk'),
    accountJwt: at('account.jwt'),
    requesterCreds: at('requester.creds'),
    systemCreds: at('system.creds'),
    serverConfig: at('nats-server.conf'),
    caCertificate: at('tls/ca.pem'),
    caKey: at('tls/ca.key'),
    serverCertificate: at('tls/server.pem'),
    serverKey: at('tls/server.key'),
  };
}
export type AuthorityFiles = ReturnType<typeof filesOf>;

export const aboutSchema = z.object({
  v: z.literal(1),
  /** Public keys. */
  operator: z.string(),
  account: z.string(),
  systemAccount: z.string(),
  signing: z.object({ operator: z.string(), agents: z.string(), joins: z.string() }),
  createdAt: z.number(),
  /** Whether the broker's certificate is of the authority's own. */
  tls: z.boolean(),
});
export type AboutAuthority = z.infer<typeof aboutSchema>;
