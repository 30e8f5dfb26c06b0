/** What agents ask over NATS: handshake, heartbeat, and their rows. One answer each, always durable before it is given. */
import { z } from 'zod';
import type { Faults } from '../../adapters/faults/port.ts';
import type { IncomingMessage, Subscription, Transport } from '../../adapters/nats/port.ts';
import type { Applied } from '../../adapters/link/inbox.ts';
import { messageOf } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';
import {
  handshakeSchema,
  heartbeatSchema,
  pushSchema,
  type Push,
  type PushAnswer,
} from '../../wire/messages.ts';
import {
  executionProgressSchema,
  MOST_PROGRESS_BYTES,
  type ExecutionProgress,
} from '../../wire/execution-progress.ts';
import { nodeOfSubject, toRequester } from '../../wire/subjects.ts';
import { applyRows } from '../jobs/report.ts';
import { shakeHands, type HandshakeContext } from './handshake.ts';
import { takeHeartbeat } from './heartbeat.ts';
import { fromBytes, toBytes } from './json-bytes.ts';
import type { NodeLink } from './links.ts';
import type { Preparing } from './preparing.ts';
import { checkSession } from './sessions.ts';

export interface GatewayContext extends HandshakeContext {
  readonly transport: Transport;
  readonly faults: Faults;
  readonly preparing: Preparing;
}

/** Subscribes; the answer ends all of it. */
export function serveAgents(context: GatewayContext): () => void {
  const { transport, log, preparing } = context;
  const unreadable = (method: string, { subject }: IncomingMessage, reason: string): undefined => {
    log.warn('wire.unreadable', { method, subject, reason });
  };
  const on = <T>(
    method: 'Handshake' | 'Heartbeat' | 'Push',
    schema: z.ZodType<T>,
    answer: (node: NodeId, message: T) => Promise<unknown>,
  ): Subscription =>
    transport.subscribe(toRequester('*', method), async (incoming) => {
      const read = parse(schema, incoming);
      if (read.ok) return toBytes(await answer(read.node, read.message));
      return unreadable(method, incoming, read.reason);
    });
  const subscriptions = [
    on('Handshake', handshakeSchema, (node, message) => shakeHands(context, node, message)),
    on('Heartbeat', heartbeatSchema, async (node, message) => ({
      ...(await takeHeartbeat(context, node, message)),
      at: context.clock.now(),
    })),
    on('Push', pushSchema, (node, message) => takePush(context, node, message)),
    transport.subscribe(toRequester('*', 'ExecutionProgress'), (incoming) => {
      const read = parseProgress(incoming);
      if (!read.ok) return unreadable('ExecutionProgress', incoming, read.reason);
      preparing.take(read.node, read.message);
      return undefined;
    }),
  ];
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}

type Read<T> =
  | { readonly ok: true; readonly node: NodeId; readonly message: T }
  | { readonly ok: false; readonly reason: string };

/** The subject names the sender: the broker's permissions pin it. */
function parse<T>(schema: z.ZodType<T>, { subject, payload }: IncomingMessage): Read<T> {
  try {
    const read = schema.safeParse(fromBytes(payload));
    if (!read.success) return { ok: false, reason: z.prettifyError(read.error) };
    return { ok: true, node: parseNodeId(nodeOfSubject(subject)), message: read.data };
  } catch (thrown) {
    return { ok: false, reason: messageOf(thrown) };
  }
}

function parseProgress(incoming: IncomingMessage): Read<ExecutionProgress> {
  const { length } = incoming.payload;
  if (length <= MOST_PROGRESS_BYTES) return parse(executionProgressSchema, incoming);
  return { ok: false, reason: `${length} bytes; expected ${MOST_PROGRESS_BYTES} at the most` };
}

async function takePush(context: GatewayContext, node: NodeId, push: Push): Promise<PushAnswer> {
  const session = checkSession(context.world.node(node), push.session);
  const link = context.links.get(node);
  if (session.type !== 'current') return { type: 'handshake-required', reason: session.reason };
  if (link === undefined)
    return { type: 'handshake-required', reason: 'this node is not known here' };
  return receive(context, { node, link, push });
}

/** The reports' records and the cursor go into one batch, which the inbox commits while the turn waits for it. */
async function receive(
  context: GatewayContext,
  { node, link, push }: { readonly node: NodeId; readonly link: NodeLink; readonly push: Push },
): Promise<PushAnswer> {
  const { coordinator, faults } = context;
  let commitFailed: (error: unknown) => void = () => undefined;
  let turn: Promise<void> = Promise.resolve();
  const apply = (rows: Push['rows']): Promise<Applied> =>
    new Promise((give, refuse) => {
      turn = coordinator.runWith(
        (draft) => applyRows(draft, { node, rows }, context),
        (ops) =>
          new Promise((committed, failed) => {
            commitFailed = failed;
            give({ ops: () => ops, committed });
          }),
      );
      turn.catch(refuse);
    });
  try {
    const answer = await link.inbox.receive(push, {
      apply,
      beforeAck: () => faults.reach('requester.link.before-ack'),
    });
    await turn;
    if (context.rollCall.completes(node)) await coordinator.run(() => undefined);
    return answer;
  } catch (thrown) {
    commitFailed(thrown);
    throw thrown;
  }
}
