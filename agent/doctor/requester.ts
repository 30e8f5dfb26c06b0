/** The broker and, by way of it, the requester: reached, allowed, answering, and of one time with this host. */
import { heartbeatAnswerSchema, PROTOCOL_VERSION } from '../../wire/messages.ts';
import { toRequester } from '../../wire/subjects.ts';
import type { NodeId } from '../../core/ids.ts';
import type { BrokerSeen, BrokerSubject } from '../../adapters/doctor/broker.ts';
import { brokerChecks, NOBODY } from '../../adapters/doctor/broker-checks.ts';
import {
  failure,
  fine,
  skipped,
  warning,
  type Check,
  type Finding,
} from '../../adapters/doctor/check.ts';
import type { TransportOptions } from '../../adapters/nats/port.ts';
import type { LiveAgent } from './ask-agent.ts';

/** Clocks that are further apart than this make deadlines and credentials unreliable. */
const MOST_SKEW_MS = 5_000;

export interface RequesterSubject {
  /** undefined: this node has never been started. */
  readonly nodeId: NodeId | undefined;
  readonly options: TransportOptions;
  readonly agent: LiveAgent;
}

export function requesterChecks({ nodeId, options, agent }: RequesterSubject): readonly Check[] {
  const unknown = nodeId === undefined ? 'this node has no id before its first start' : undefined;
  return brokerChecks(subjectOf(nodeId, options), {
    unknown,
    more: [
      {
        name: 'requester',
        find: (seen) => (unknown === undefined ? requesterFinding(seen, agent) : skipped(unknown)),
      },
      { name: 'clock skew', find: skewFinding },
    ],
  });
}

/** Nobody sends on a subject of this method. */
function subjectOf(nodeId: NodeId | undefined, options: TransportOptions): BrokerSubject {
  const own = nodeId ?? 'n-00000000-0000-7000-8000-000000000000';
  return {
    options,
    own: nodeId === undefined ? [] : [`node.compute.${own}.Doctor/v1`],
    foreign: `node.compute.${NOBODY}.Doctor/v1`,
    ask: { subject: askedOn(own), payload: Buffer.from(JSON.stringify(beat(own))) },
  };
}

function askedOn(own: string): string {
  return toRequester('*', 'Heartbeat').replace('*', own);
}

/** Of a session that there never was: the requester answers that it wants a handshake, and notes nothing. */
function beat(nodeId: string) {
  const allocated = { cpuMillis: 0, memoryBytes: 0, diskBytes: 0, gpus: 0 };
  const nothing = { digest: '', allocated, running: 0, executors: [] };
  return { v: PROTOCOL_VERSION, session: 'doctor', nodeId, ...nothing };
}

function requesterFinding({ connected, answer, error }: BrokerSeen, agent: LiveAgent): Finding {
  if (!connected) return skipped('the broker is not reached');
  if (answer === undefined)
    return failure(
      error?.message ?? 'no answer',
      error?.code === 'unavailable'
        ? 'start the requester on this broker'
        : 'see the log of the requester',
    );
  if (agent.state !== 'answers' || agent.status.link.state === 'linked') return fine('answers');
  const { state, detail } = agent.status.link;
  return failure(
    `answers, and this node is ${state}: ${detail}`,
    state === 'pending' ? 'on the requester: limpet node approve ID' : 'see the detail',
  );
}

function skewFinding({ answer }: BrokerSeen): Finding {
  if (answer === undefined) return skipped('the requester was not reached');
  const read = heartbeatAnswerSchema.safeParse(JSON.parse(Buffer.from(answer.payload).toString()));
  const at = read.data?.at;
  if (at === undefined) return skipped('this requester does not tell its time');
  const skew = Math.round(at - (answer.sentAt + answer.receivedAt) / 2);
  const found = `the clock of the requester is ${Math.abs(skew)} ms ${skew < 0 ? 'behind' : 'ahead'}`;
  return Math.abs(skew) > MOST_SKEW_MS
    ? warning(found, 'synchronise both clocks; deadlines, leases and credentials go by them')
    : fine(found);
}
