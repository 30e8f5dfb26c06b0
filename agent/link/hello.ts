/** What the link says of this node: the handshake and the heartbeat. */
import type { Outbox } from '../../adapters/link/outbox.ts';
import {
  PROTOCOL_VERSION,
  type Handshake,
  type HandshakeAnswer,
  type Heartbeat,
  type LinkPosition,
} from '../../wire/messages.ts';
import type { KnownToOwner } from '../executions/owner-word.ts';
import {
  drainOf,
  executionList,
  executorInfos,
  executorSchemas,
  foreignList,
  nodeInfo,
  runningCount,
  runningDigest,
  unreported,
  type NodeInfoSources,
} from './node-info.ts';
import type { SchemaTeller } from './schema-teller.ts';

/** A longer list of executions leaves no room for schemas; these come with the first beats. */
const MOST_LISTED = 1_000;

export interface HelloParts {
  readonly sources: NodeInfoSources;
  readonly outbox: Outbox;
  readonly position: LinkPosition;
  readonly attempt: string;
  readonly instanceId: string;
  readonly bootId: string;
  readonly startedAt: number;
  readonly teller: SchemaTeller;
}

/** Taken before the list, the position is never ahead of it. */
export async function helloOf(parts: HelloParts): Promise<Handshake> {
  const { sources, outbox, position, attempt, instanceId, bootId, startedAt } = parts;
  const { executions, partial } = await unreported(outbox, sources.engine);
  const list = [...executionList(sources), ...executions];
  parts.teller.reset();
  return {
    v: PROTOCOL_VERSION,
    attempt,
    node: nodeInfo(sources),
    instanceId,
    bootId,
    startedAt,
    link: position,
    executions: list,
    schemas: list.length > MOST_LISTED ? [] : parts.teller.next(executorSchemas(sources)),
    ...(partial === true ? { partial } : {}),
    foreign: foreignList(sources),
  };
}

export function heartbeatOf({
  sources,
  position,
  session,
  teller,
}: {
  readonly sources: NodeInfoSources;
  readonly position: LinkPosition;
  readonly session: string;
  readonly teller: SchemaTeller;
}): Heartbeat {
  return {
    v: PROTOCOL_VERSION,
    session,
    nodeId: sources.facts.nodeId,
    digest: runningDigest(sources.engine),
    link: position,
    allocated: sources.engine.allocated,
    running: runningCount(sources.engine),
    executors: executorInfos(sources),
    ...schemasOf(teller.next(executorSchemas(sources))),
    foreign: foreignList(sources),
    asks: sources.questions(),
    ...drainOf(sources),
  };
}

/** Left out of most beats. */
function schemasOf(schemas: string[]): { readonly schemas?: string[] } {
  return schemas.length === 0 ? {} : { schemas };
}

/** What it does not know is left as it is; an older requester tells of nothing that it has heard more of. */
export function knownToOwner(
  { executions }: Handshake,
  { unknown, ahead = [] }: Extract<HandshakeAnswer, { type: 'accepted' }>,
): KnownToOwner[] {
  const further = new Map(ahead.map((known) => [known.executionId, known]));
  return executions
    .filter(({ executionId }) => !unknown.includes(executionId))
    .map(
      ({ executionId, state }) =>
        further.get(executionId) ?? { executionId, state, run: 0, revision: 0 },
    );
}
