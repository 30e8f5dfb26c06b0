/** What nodes ask the authority over NATS. */
import type { z } from 'zod';
import type { IncomingMessage, Subscription, Transport } from '../../adapters/nats/port.ts';
import { messageOf } from '../../core/errors.ts';
import { parseNodeId } from '../../core/ids.ts';
import { joinRequestSchema, renewRequestSchema, type JoinAnswer } from '../../wire/join.ts';
import { nodeOfSubject, toJoin, toRequester } from '../../wire/subjects.ts';
import { fromBytes, toBytes } from '../nodes/json-bytes.ts';
import { join, renew, type JoiningContext } from './joining.ts';

export interface ServeContext extends JoiningContext {
  readonly transport: Transport;
}

/** Subscribes; the answer ends all of it. */
export function serveJoins(context: ServeContext): () => void {
  const subscriptions = [
    on(context, toJoin('*'), joinRequestSchema, (tokenId, request) =>
      join(context, tokenId, request),
    ),
    on(context, toRequester('*', 'Renew'), renewRequestSchema, (node, request) =>
      renew(context, parseNodeId(node), request),
    ),
  ];
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}

function on<S extends z.ZodType>(
  { transport, log }: ServeContext,
  ...[subject, schema, answer]: [
    string,
    S,
    (who: string, request: z.output<S>) => Promise<JoinAnswer>,
  ]
): Subscription {
  return transport.subscribe(subject, async (incoming) => {
    const read = parse(schema, incoming);
    if ('reason' in read) {
      log.warn('wire.unreadable', { subject: incoming.subject, reason: read.reason });
      const refusal: JoinAnswer = { type: 'refused', reason: read.reason, final: true };
      return toBytes(refusal);
    }
    // The broker's permissions pin who may publish on which subject.
    return toBytes(await answer(nodeOfSubject(incoming.subject), read.request));
  });
}

function parse<S extends z.ZodType>(
  schema: S,
  { payload }: IncomingMessage,
): { readonly request: z.output<S> } | { readonly reason: string } {
  try {
    const read = schema.safeParse(fromBytes(payload));
    if (read.success) return { request: read.data };
    const issue = read.error.issues[0];
    return { reason: `the request is unreadable: ${issue?.path.join('.')}: ${issue?.message}` };
  } catch (thrown) {
    return { reason: `the request is unreadable: ${messageOf(thrown)}` };
  }
}
