/**
 * A handshake: who is it, may it work here, what does it hold, where do both ends of the link stand. The answer is sent
 * only when everything that it says is stored.
 */
import { isTerminal } from '../../core/execution/states.ts';
import { parseExecutionId, type NodeId } from '../../core/ids.ts';
import { hasAllRows, isSetBack, memoryOf, needsSnapshot } from '../../wire/link.ts';
import { PROTOCOL_VERSION, type Handshake, type HandshakeAnswer } from '../../wire/messages.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { placeRow } from '../jobs/apply-plan.ts';
import { claim } from '../jobs/claim.ts';
import { markLost } from '../jobs/report.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { Mint } from '../state/minting.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import { admit, type Admission, type AdmissionRules } from './admission.ts';
import { answerForeign } from './foreign.ts';
import type { Links, NodeLink } from './links.ts';
import type { Presence } from './presence.ts';
import { reconcile, type Reconciled } from './reconcile.ts';
import type { RollCall } from './roll-call.ts';
import { schedulingOf } from './scheduling.ts';
import type { SchemaShelf } from './schema-shelf.ts';
import { replaceSession } from './sessions.ts';

export interface HandshakeContext {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly clock: Clock;
  readonly links: Links;
  readonly presence: Presence;
  readonly schemas: SchemaShelf;
  readonly rollCall: RollCall;
  readonly reader: Reader;
  readonly mint: Mint;
  readonly log: Logger;
  readonly requesterId: string;
  /** Of this store. */
  readonly epoch: string;
  readonly rules: AdmissionRules;
  /** Read anew each time. */
  readonly pace: { readonly heartbeatIntervalMs: number };
}

export async function shakeHands(
  context: HandshakeContext,
  id: NodeId,
  handshake: Handshake,
): Promise<HandshakeAnswer> {
  const { links, coordinator, rollCall, log } = context;
  const link = await links.open(id);
  const known = context.world.node(id);
  if (wasReplaced(known, handshake)) return LATE;
  const first = judge(context, { known, id, handshake });
  // Outside the turn: it waits for pushes that are being taken, and these wait for turns.
  if (first.type === 'approved') await link.inbox.adopt(handshake.link.incarnation);
  let whole = false;
  const answer = await coordinator.runAlone((draft) => {
    // Of an older store: the snapshot comes with the next handshake.
    whole = !needsSnapshot(memoryOf(handshake.link), link.position());
    return take(context, { draft, link, id, handshake });
  });
  log.info(`node.${answer.type}`, {
    nodeId: id,
    ...('reason' in answer ? { reason: answer.reason } : {}),
  });
  if (answer.type !== 'accepted') return answer;
  link.sender.open(answer.session);
  if (whole) rollCall.shown(id, handshake.link);
  if (rollCall.completes(id)) await coordinator.run(() => undefined);
  return answer;
}

/** A copy that was under way for long; nobody waits for its answer. */
const LATE: HandshakeAnswer = { type: 'superseded', reason: 'this handshake was answered before' };

function wasReplaced(known: NodeRecord | undefined, { attempt }: Handshake): boolean {
  return known?.replaced.some(({ session }) => session === attempt) === true;
}

function judge(
  { rules, presence, clock, world }: HandshakeContext,
  {
    known,
    id,
    handshake,
  }: { readonly known: NodeRecord | undefined; readonly id: NodeId; readonly handshake: Handshake },
): Admission {
  return admit(known, handshake, {
    rules,
    heardAt: presence.heardAt(id),
    now: clock.now(),
    member: world.roster.members.get(id),
  });
}

function settled(
  { schemas }: HandshakeContext,
  handshake: Handshake,
  known: NodeRecord | undefined,
): Handshake {
  const executors = schemas.settled(known?.info.executors ?? [], handshake.node.executors);
  return { ...handshake, node: { ...handshake.node, executors } };
}

interface Taking {
  readonly draft: Draft;
  readonly link: NodeLink;
  readonly id: NodeId;
  readonly handshake: Handshake;
}

async function take(context: HandshakeContext, taking: Taking): Promise<HandshakeAnswer> {
  const { draft, link, id } = taking;
  const known = draft.node(id);
  const handshake = settled(context, taking.handshake, known);
  if (wasReplaced(known, handshake)) return LATE;
  if (known !== undefined && known.session !== '' && known.session === handshake.attempt)
    return acceptedAs(context, link, {
      session: known.session,
      result: reconcile({
        ...{ handshake, ours: [], stale: true, level: false },
        listed: await lookUp(context, draft, handshake),
      }),
    });
  const verdict = judge(context, { known, id, handshake });
  if (verdict.type === 'superseded') {
    const { reason } = verdict;
    if (known !== undefined)
      draft.putNode({ ...known, copy: { who: whoOf(handshake), reason, at: draft.now } });
    return { type: 'superseded', reason };
  }
  link.sender.close();
  if (verdict.type !== 'approved') {
    draft.putNode({
      ...toRecord(draft.now, id, { handshake, known }),
      membership: verdict.membership,
    });
    const { reason } = verdict.membership;
    return verdict.type === 'rejected'
      ? { type: 'rejected', reason }
      : { type: 'pending', reason, retryAfterMs: context.pace.heartbeatIntervalMs };
  }
  return accept(context, taking, {
    ...toRecord(draft.now, id, { handshake, known }),
    membership: verdict.membership,
  });
}

async function accept(
  context: HandshakeContext,
  taking: Taking,
  node: NodeRecord,
): Promise<HandshakeAnswer> {
  const { draft, link, id, handshake } = taking;
  const stale = isStale(link, handshake);
  const listed = await lookUp(context, draft, handshake);
  await claimListed(context, taking, listed);
  const ours = [...draft.executions()].filter(
    (mine) => mine.nodeId === id && !isTerminal(mine.state),
  );
  const level = hasAllRows(link.position(), handshake.link);
  const result = reconcile({ handshake, ours, listed, stale, level });
  for (const execution of result.lost) markLost(draft, execution);
  await align(context, taking, ours);
  for (const { execution, reason } of result.stop)
    draft.send(id, { type: 'stop', executionId: execution.id, reason });
  const session = handshake.attempt ?? context.mint.uuid();
  draft.putNode({
    ...node,
    ...replaceSession(draft.node(id), session),
    connection: { state: 'connected', reason: 'handshake', at: draft.now },
    unlisted: [...result.unlisted],
  });
  context.schemas.keep(draft, handshake.schemas ?? []);
  await answerForeign(context, draft, { id, foreign: handshake.foreign ?? [] });
  context.presence.heard(id, {
    allocated: handshake.node.allocated,
    ours: draft.executions(),
    now: draft.now,
  });
  return acceptedAs(context, link, { session, result });
}

function acceptedAs(
  { requesterId, epoch, pace }: HandshakeContext,
  link: NodeLink,
  { session, result }: { readonly session: string; readonly result: Reconciled },
): HandshakeAnswer {
  return {
    type: 'accepted',
    v: PROTOCOL_VERSION,
    ...{ requesterId, epoch, session },
    heartbeatIntervalMs: pace.heartbeatIntervalMs,
    link: link.position(),
    unknown: [...result.unknown],
    ahead: result.ahead.map(({ id, state, run, revision }) => ({
      executionId: id,
      state,
      run,
      revision,
    })),
  };
}

/**
 * What is missing in the list may not be called lost: the list was too long, or rows were taken that are younger than it,
 * or rows that this end once took are gone from here (its store is an old copy) and the node will send them anew.
 */
function isStale(link: NodeLink, { link: theirs, partial }: Handshake): boolean {
  const mine = link.position();
  const younger = mine.peerIncarnation === theirs.incarnation && mine.peerCursor > theirs.lastSeq;
  return partial === true || younger || needsSnapshot(memoryOf(theirs), mine);
}

/** The node lacks rows that are gone from here: start anew with what it has to know. */
async function align(
  { mint, requesterId, log }: HandshakeContext,
  { draft, link, id, handshake }: Taking,
  ours: readonly ExecutionRecord[],
): Promise<void> {
  if (!needsSnapshot(link.outbox.memory, handshake.link)) return;
  const present = new Set(handshake.executions.map(({ executionId }) => executionId));
  const rows = ours.flatMap((mine) => {
    const job = draft.job(mine.jobId);
    if (mine.revision > 0 || present.has(mine.id) || job === undefined) return [];
    const place = placeRow(job, mine, requesterId);
    const stop = { type: 'stop', executionId: mine.id, reason: mine.desiredReason };
    return mine.desired === 'run' ? [place] : [place, stop];
  });
  await link.outbox.restart(mint.uuid(), async () => rows);
  log.warn('link.snapshot', { nodeId: id, rows: rows.length });
}

/** What is under way there and unknown here, of a job of ours. What has ended is claimed with its report. */
async function claimListed(
  { reader, rollCall, log }: HandshakeContext,
  { draft, link, id, handshake }: Taking,
  listed: Map<string, ExecutionRecord>,
): Promise<void> {
  let older = isSetBack(link.position(), handshake.link);
  for (const shown of handshake.executions) {
    if (listed.has(shown.executionId) || isTerminal(shown.state)) continue;
    const claimed = await claim({ reader, draft }, id, shown);
    if (claimed === undefined) continue;
    older = true;
    listed.set(shown.executionId, claimed);
  }
  if (older && rollCall.setBack(draft)) log.error('store.set-back', { nodeId: id });
}

async function lookUp(
  { reader }: HandshakeContext,
  draft: Draft,
  { executions }: Handshake,
): Promise<Map<string, ExecutionRecord>> {
  const found = new Map<string, ExecutionRecord>();
  for (const { executionId } of executions) {
    const id = parseExecutionId(executionId);
    const record = draft.execution(id) ?? (await reader.execution(id));
    if (record !== undefined) found.set(executionId, record);
  }
  return found;
}

function toRecord(
  now: number,
  id: NodeId,
  { handshake, known }: { readonly handshake: Handshake; readonly known: NodeRecord | undefined },
): Omit<NodeRecord, 'membership'> {
  return {
    v: 1,
    id,
    instanceId: handshake.instanceId,
    info: handshake.node,
    connection: known?.connection ?? { state: 'unknown', reason: 'not accepted yet', at: now },
    scheduling: schedulingOf(known?.scheduling, handshake.node.draining, now),
    session: known?.session ?? '',
    process: processOf(handshake),
    processStartedAt: handshake.startedAt,
    replaced: known?.replaced ?? [],
    unlisted: known?.unlisted ?? [],
    ...(known?.copy === undefined ? {} : { copy: known.copy }),
    firstSeenAt: known?.firstSeenAt ?? now,
  };
}

/** For people who look for the machine that an identity was copied to. */
function whoOf({ node, startedAt, bootId }: Handshake): string {
  return `agent ${node.name}, started ${new Date(startedAt).toISOString()}, boot ${bootId}`;
}

export function processOf({ bootId, startedAt }: Pick<Handshake, 'bootId' | 'startedAt'>): string {
  return `${bootId}/${startedAt}`;
}
