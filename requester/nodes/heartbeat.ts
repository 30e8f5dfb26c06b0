/** A heartbeat: cheap when nothing has changed; a change of executors, health or connection is stored before it counts. */
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import { digestOf, isLevel } from '../../wire/digests.ts';
import type { Heartbeat, HeartbeatAnswer, LinkPosition } from '../../wire/messages.ts';
import { markLost } from '../jobs/report.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { ExecutionRecord, NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { answerForeign, endedOf, foreignHasChanged, type ForeignContext } from './foreign.ts';
import type { Links } from './links.ts';
import type { Presence } from './presence.ts';
import { schedulingOf } from './scheduling.ts';
import type { SchemaShelf } from './schema-shelf.ts';
import { checkSession } from './sessions.ts';

export interface HeartbeatContext extends ForeignContext {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly presence: Presence;
  readonly schemas: SchemaShelf;
  readonly clock: Clock;
  readonly links: Links;
  /** Read anew each time. */
  readonly pace: { readonly heartbeatIntervalMs: number };
}

export async function takeHeartbeat(
  context: HeartbeatContext,
  id: NodeId,
  beat: Heartbeat,
): Promise<HeartbeatAnswer> {
  const { world, presence, clock } = context;
  const node = world.node(id);
  const session = checkSession(node, beat.session);
  if (node === undefined || session.type !== 'current') return refuse(session);
  // The node once refused this session's rows, or the requester has been started since: it sends none before a handshake.
  if (context.links.get(id)?.sender.isOpen === false)
    return { type: 'handshake-required', reason: 'this session sends no rows yet, or no more' };
  const foreignChanged = presence.heard(id, {
    allocated: beat.allocated,
    ours: world.executions(),
    now: clock.now(),
  });
  const executors = context.schemas.settled(node.info.executors, beat.executors);
  await storeNews(context, node, { beat: { ...beat, executors }, foreignChanged });
  const here = [...world.executions()].filter(
    (mine) => mine.nodeId === id && !isTerminal(mine.state),
  );
  const link = context.links.get(id)?.position();
  if (presence.drift(id).differs(compared(link, here, beat)))
    return { type: 'handshake-required', reason: 'the node has other executions than its owner' };
  return {
    type: 'ok',
    heartbeatIntervalMs: context.pace.heartbeatIntervalMs,
    ended: await endedOf(context, id, beat.asks ?? []),
    stop: here.filter((mine) => mine.desired === 'stop').map((mine) => mine.id),
    ...(link === undefined
      ? {}
      : { desired: { digest: digestOf(here.map((mine) => [mine.id, mine.desired])), link } }),
  };
}

async function storeNews(
  context: HeartbeatContext,
  node: NodeRecord,
  { beat, foreignChanged }: { readonly beat: Heartbeat; readonly foreignChanged: boolean },
): Promise<void> {
  const { id } = node;
  const { schemas = [] } = beat;
  if (!foreignChanged && schemas.length === 0 && !hasNews(node, beat)) return;
  await context.coordinator.run(async (draft) => {
    if (draft.node(id)?.session === beat.session)
      await answerForeign(context, draft, { id, foreign: beat.foreign ?? [] });
    store(draft, id, beat);
    context.schemas.keep(draft, schemas);
  });
}

function compared(
  link: LinkPosition | undefined,
  here: readonly ExecutionRecord[],
  beat: Heartbeat,
): readonly [string, string] | undefined {
  if (link === undefined || beat.link === undefined || !isLevel(link, beat.link)) return undefined;
  return [digestOf(here.map((mine) => [mine.id, mine.state])), beat.digest];
}

function refuse(session: ReturnType<typeof checkSession>): HeartbeatAnswer {
  return session.type === 'current'
    ? { type: 'handshake-required', reason: 'this node is not known here' }
    : session;
}

function hasNews(node: NodeRecord, beat: Heartbeat): boolean {
  return (
    node.connection.state !== 'connected' ||
    JSON.stringify(node.info.executors) !== JSON.stringify(beat.executors) ||
    node.info.draining !== beat.draining ||
    foreignHasChanged(node, beat.foreign)
  );
}

function store(draft: Draft, id: NodeId, beat: Heartbeat): void {
  const node = draft.node(id);
  if (node === undefined || node.session !== beat.session) return;
  const complete = new Set(
    beat.executors.filter(({ recovery }) => recovery === 'complete').map(({ name }) => name),
  );
  const missing = node.unlisted
    .flatMap((one) => draft.execution(one) ?? [])
    .filter(({ state }) => !isTerminal(state));
  for (const execution of missing) if (complete.has(execution.executor)) markLost(draft, execution);
  draft.putNode({
    ...node,
    info: {
      ...node.info,
      executors: beat.executors,
      running: beat.running,
      allocated: beat.allocated,
      draining: beat.draining,
    },
    scheduling: schedulingOf(node.scheduling, beat.draining, draft.now),
    connection:
      node.connection.state === 'connected'
        ? node.connection
        : { state: 'connected', reason: 'heartbeat', at: draft.now },
    unlisted: missing
      .filter(({ executor }) => !complete.has(executor))
      .map((execution) => execution.id),
  });
}
