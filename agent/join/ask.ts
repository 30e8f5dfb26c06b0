/** The two questions about credentials, signed by the node's key. */
import type { NodeId } from '../../core/ids.ts';
import { LimpetError } from '../../core/errors.ts';
import { askOnce } from '../../adapters/nats/ask-once.ts';
import type { Transport, TransportTls } from '../../adapters/nats/port.ts';
import type { UserKey } from '../../adapters/nats/user-key.ts';
import { joinAnswerSchema, joinText, type JoinAnswer, type JoinRequest } from '../../wire/join.ts';
import type { JoinToken } from '../../wire/join-token.ts';
import { toJoin, toRequester } from '../../wire/subjects.ts';

export interface Applicant {
  readonly key: UserKey;
  readonly nodeId: NodeId;
  readonly instanceId: string;
  /** For people. */
  readonly name: string;
  readonly servers: readonly string[];
  readonly timeoutMs: number;
  tls(): TransportTls | undefined;
}

/** Errors: `permission-denied`, `unavailable`, `timeout`; `internal` for an answer that cannot be read. */
export async function askToJoin(
  applicant: Applicant,
  token: JoinToken,
  at: number,
): Promise<JoinAnswer> {
  const { servers, nodeId, instanceId, name, timeoutMs } = applicant;
  const request: JoinRequest = { ...proven(applicant, at), instanceId, name };
  const answer = await askOnce(
    {
      servers,
      name: `limpet-agent ${nodeId} joining`,
      inboxPrefix: `_INBOX.${token.id}`,
      credentials: () => ({ type: 'jwt', jwt: token.jwt, seed: token.seed }),
      tls: () => applicant.tls(),
    },
    { subject: toJoin(token.id), payload: bytesOf(request), timeoutMs },
  );
  return read(answer);
}

/** Errors as above. */
export async function askToRenew(
  applicant: Applicant,
  transport: Transport,
  at: number,
): Promise<JoinAnswer> {
  const subject = toRequester(applicant.nodeId, 'Renew');
  const request = bytesOf(proven(applicant, at));
  return read(await transport.request(subject, request, applicant.timeoutMs));
}

function proven({ key, nodeId }: Applicant, at: number) {
  const { publicKey } = key;
  const signature = key.sign(joinText({ nodeId, publicKey, at }));
  return { v: 1 as const, nodeId, publicKey, at, signature };
}

function bytesOf(request: object): Uint8Array {
  return Buffer.from(JSON.stringify(request));
}

function read(answer: Uint8Array): JoinAnswer {
  try {
    return joinAnswerSchema.parse(JSON.parse(Buffer.from(answer).toString()));
  } catch (thrown) {
    throw new LimpetError('internal', 'the answer of the requester cannot be read', {
      cause: thrown,
    });
  }
}
