/** Somebody at the broker who tries what is not his. */
import { connect, type ConnectionOptions, type NatsConnection } from 'nats';
import { TO_AGENT, TO_REQUESTER } from '../../wire/subjects.ts';
import type { Teardown } from './teardown.ts';

export interface Intruder {
  readonly nats: NatsConnection;
  /** Messages that it got by a subscription that is not its own. */
  readonly got: string[];
  /** `publish SUBJECT` and `subscription SUBJECT` that the broker has refused. */
  readonly refused: Set<string>;
  /** The broker has judged all that was tried before. */
  judged(): Promise<void>;
}

/** Rejects with what the broker says, when it does not let it in. */
export async function intrude(
  t: Teardown,
  url: string,
  credentials: Pick<ConnectionOptions, 'authenticator' | 'user' | 'pass'>,
): Promise<Intruder> {
  const nats = await connect({ servers: [url], ...credentials, reconnect: false });
  t.teardown(() => nats.close());
  const refused = new Set<string>();
  const status = nats.status();
  void (async () => {
    for await (const { permissionContext } of status)
      if (permissionContext !== undefined)
        refused.add(`${permissionContext.operation} ${permissionContext.subject}`);
  })();
  // What the broker says comes before the answer to a ping that was sent later.
  const judged = async (): Promise<void> => {
    await nats.flush();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { nats, got: [], refused, judged };
}

/** Tries to listen there, alone and in a queue group. */
export function listen({ nats, got }: Intruder, subjects: readonly string[]): void {
  for (const subject of subjects)
    for (const more of [{}, { queue: 'group' }])
      nats.subscribe(subject, {
        ...more,
        callback: (failed, message) => {
          if (failed === null) got.push(message.subject);
        },
      });
}

export function say({ nats }: Intruder, subjects: readonly string[]): void {
  for (const subject of subjects) nats.publish(subject, new TextEncoder().encode('{}'));
}

/** Those that the broker has not refused. */
export function open(
  { refused }: Intruder,
  operation: 'publish' | 'subscription',
  subjects: readonly string[],
): string[] {
  return subjects.filter((subject) => !refused.has(`${operation} ${subject}`));
}

/** All that is said to, and by, a node; streams by a number that somebody might guess. */
export function subjectsOf(node: string): { readonly toIt: string[]; readonly byIt: string[] } {
  const toIt = TO_AGENT.flatMap((one) => [
    `node.compute.${node}.${one}/v1`,
    `node.compute.${node}.${one}/v1.1`,
  ]);
  const byIt = TO_REQUESTER.flatMap((one) => [
    `node.requester.${node}.${one}/v1`,
    `node.requester.${node}.${one}/v1.1`,
  ]);
  return { toIt, byIt };
}

export const ANYBODYS = [
  ...['>', '*', '*.>', '*.*.>', 'node.>', 'node.*.>', 'node.*.*.>', 'node.compute.>'],
  ...['node.compute.*.>', 'node.requester.>', 'node.requester.*.>', 'node.join.>'],
  ...['node.*.*.Stream/v1.*', 'node.compute.*.Push/v1', 'node.requester.*.Handshake/v1'],
  ...['_INBOX.>', '_INBOX.*.>', '_INBOX.requester.>', '_INBOX.system.>', '_INBOX.*'],
  ...['$SYS.>', '$SYS.REQ.>', '$SYS.ACCOUNT.>', '$JS.>', '$JS.API.>', '$JS.ACK.>', '$KV.>'],
  ...['$O.>', '_R_.>', '$G.>', 'limpet.>'],
];
export const SAID_BY_NOBODY = [
  ...['_INBOX.requester.x.1', '_INBOX.system.x.1', '_INBOX.x.1', '_R_.x.1'],
  ...['$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.CLAIMS.DELETE', '$SYS.REQ.CLAIMS.LIST'],
  ...['$SYS.REQ.SERVER.PING', '$SYS.REQ.ACCOUNT.PING', '$JS.API.INFO', '$JS.API.STREAM.LIST'],
  ...['$KV.x.y', 'node', 'node.compute', 'node.requester', 'x'],
];
