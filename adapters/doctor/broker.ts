/** What the broker shows to a connection of its own: whether it takes these credentials, and what it lets them do. */
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import { silentLog } from '../log/silent-log.ts';
import type { Logger } from '../log/port.ts';
import { connectTransport } from '../nats/nats-transport.ts';
import type { Transport, TransportOptions } from '../nats/port.ts';
import { failure, fine, warning, type Finding } from './check.ts';

export interface BrokerSubject {
  readonly options: TransportOptions;
  /** Subjects that it has to be able to subscribe to. Nobody sends on them. */
  readonly own: readonly string[];
  /** One that it should not be able to subscribe to. */
  readonly foreign?: string;
  /** A question that changes nothing. */
  readonly ask: { readonly subject: string; readonly payload: Uint8Array };
}

export interface BrokerSeen {
  readonly connected: boolean;
  readonly detail: string;
  /** Subjects that were refused. */
  readonly denied: readonly string[];
  readonly answer?: {
    readonly payload: Uint8Array;
    readonly sentAt: number;
    readonly receivedAt: number;
  };
  readonly error?: LimpetError;
}

const CONNECT_MS = 6_000;
const ANSWER_MS = 3_000;
const POLL_MS = 50;

export async function askBroker({
  options,
  own,
  foreign,
  ask,
}: BrokerSubject): Promise<BrokerSeen> {
  const denied: string[] = [];
  await using transport = await connectTransport(options, deniedLog(denied));
  const { connected, detail } = await connection(transport);
  if (!connected) return { connected, detail, denied };
  const wanted = [...own, ...(foreign === undefined ? [] : [foreign])];
  for (const subject of wanted) transport.subscribe(subject, () => undefined);
  const sentAt = Date.now();
  try {
    // What the broker refuses of the above it has said by the time that this is answered.
    const payload = await transport.request(ask.subject, ask.payload, ANSWER_MS);
    return { connected, detail, denied, answer: { payload, sentAt, receivedAt: Date.now() } };
  } catch (thrown) {
    return { connected, detail, denied, error: LimpetError.from(thrown) };
  }
}

async function connection(
  transport: Transport,
): Promise<{ readonly connected: boolean; readonly detail: string }> {
  let seen = { connected: false, detail: '' };
  const off = transport.onConnection((connected, detail) => (seen = { connected, detail }));
  const until = performance.now() + CONNECT_MS;
  while (!seen.connected && performance.now() < until && !isFinal(seen.detail))
    await delay(POLL_MS);
  off();
  return seen;
}

/** A broker that answers in this way will not change its mind within seconds. */
function isFinal(detail: string): boolean {
  return !/^connecting|does not answer/.test(detail);
}

function deniedLog(denied: string[]): Logger {
  return {
    ...silentLog,
    error: (_event, fields) => {
      const subject = fields?.['subject'];
      if (typeof subject === 'string') denied.push(subject);
    },
  };
}

export function brokerFinding({ connected, detail }: BrokerSeen, isLoopback: boolean): Finding {
  if (connected) return fine(detail);
  if (detail.startsWith('permission-denied'))
    return failure(
      detail,
      'see the credentials in the nats section of the config; a node joins with a new token: limpet node token create',
    );
  return failure(
    detail,
    isLoopback
      ? 'start the broker, or correct nats.servers in the config'
      : 'see that the broker runs, that its port is open for this host, and that its certificate is of the CA in nats.tls',
  );
}

export function permissionFinding(
  { denied, error, connected }: BrokerSeen,
  { own, foreign, ask, options }: BrokerSubject,
): Finding {
  if (!connected) return { result: 'skipped', found: 'the broker is not reached', fix: '' };
  const refused = own.filter((subject) => denied.includes(subject));
  if (error?.code === 'permission-denied') refused.push(ask.subject);
  if (refused.length > 0)
    return failure(
      `the broker refuses ${refused.join(', ')}`,
      'give this user the subjects that docs/operating.md names under Identity; limpet requester init makes a config that does',
    );
  if (foreign !== undefined && !denied.includes(foreign) && !isLoopback(options.servers))
    return warning(
      'own subjects allowed, and those of every other node too',
      'whoever has these credentials can act as any node: set the broker up with limpet requester init',
    );
  return fine('own subjects allowed');
}

export function isLoopback(servers: readonly string[]): boolean {
  return servers.every((server) =>
    /^\w+:\/\/(127\.|localhost[:/]|localhost$|\[::1\])/.test(server),
  );
}
